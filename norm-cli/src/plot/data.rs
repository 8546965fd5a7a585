//! The numbers behind a figure, for those who want to draw it otherwise.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

/// A tidy table: one row per mark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Data {
    /// Names of the columns.
    pub(crate) columns: Vec<&'static str>,
    /// The rows; null where there is no value.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// What must not stand as it is in the address of an attribute.
const RESERVED: AsciiSet =
    CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'%').add(b'&').add(b'\'');

impl Data {
    /// With these columns, and no row yet.
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = Value>) {
        self.rows.push(row.into_iter().collect());
    }

    /// As comma-separated values (RFC 4180), with a header.
    pub(crate) fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let cell = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        // Writing to memory cannot fail, and every row is as long as the header or would be a mistake here.
        let _ = writer.write_record(&self.columns);
        for row in &self.rows {
            let _ = writer.write_record(row.iter().map(cell));
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// As JSON: `{"columns": […], "rows": [[…], …]}`.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// An address that holds its file.
pub(crate) fn address(kind: &str, content: &str) -> String {
    format!("data:{kind};charset=utf-8,{}", utf8_percent_encode(content, &RESERVED))
}

/// A number; null if it is none.
pub(crate) fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A number that there may be.
pub(crate) fn maybe(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_hostile_names() {
        let mut data = Data::new(&["method", "x"]);
        data.push(["a,\"b\"\n</script>".into(), number(0.5)]);
        data.push(["c".into(), number(f64::NAN)]);
        assert_eq!(data.csv(), "method,x\n\"a,\"\"b\"\"\n</script>\",0.5\nc,\n");
        let address = address("text/csv", &data.csv());
        assert!(!address.contains(['<', '>', '"', '\'', '\n', ' ', '#', '&']), "{address}");
        let back: Value = serde_json::from_str(&data.json()).unwrap();
        assert_eq!(back["rows"][0][0], "a,\"b\"\n</script>");
        assert!(back["rows"][1][1].is_null());
    }
}
