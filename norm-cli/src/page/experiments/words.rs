//! What the experiments say in a line, for a page: in lines by what came out, with the first few of many.

/// A claim's figure by groups (`better: …; worse: …`): each with its name and its items, of which `most` are written out.
pub(in crate::page) fn lines(figure: &str, most: usize) -> Vec<(String, String)> {
    figure
        .split("; ")
        .map(|group| {
            let (of, rest) = group.split_once(": ").unwrap_or(("", group));
            let items = items(rest);
            let more = items.len().saturating_sub(most);
            // One that is left out would take the room of the words that say so.
            let shown = if more <= 1 { &items[..] } else { &items[..most] };
            let mut text = shown.iter().map(|item| whole(item)).collect::<Vec<_>>().join(" · ");
            if more > 1 {
                text.push_str(&format!(" · and {more} more"));
            }
            (of.to_owned(), text)
        })
        .collect()
}

/// Divides at commas, but not those within the name of a place: an item ends with its signed number.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut whole = true;
    for piece in text.split(", ") {
        match items.last_mut() {
            Some(last) if !whole => {
                last.push_str(", ");
                last.push_str(piece);
            }
            _ => items.push(piece.to_owned()),
        }
        whole = piece.split(' ').any(signed);
    }
    items
}

fn signed(word: &str) -> bool {
    word.strip_prefix(['+', '-']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// An item whose value is not torn from its name, nor from its interval, at the end of a line.
fn whole(item: &str) -> String {
    let mut text = String::new();
    for (i, word) in item.split(' ').enumerate() {
        if i > 0 {
            text.push(if signed(word) { '\u{a0}' } else { ' ' });
        }
        text.push_str(word);
    }
    minuses(&text.replace(" ± ", "\u{a0}±\u{a0}"))
}

/// The sign of negative numbers as typesetters write it.
pub(in crate::page) fn minuses(text: &str) -> String {
    let words = text.split_inclusive([' ', '\u{a0}']).map(|word| match word.strip_prefix('-') {
        Some(rest) if signed(word) => format!("−{rest}"),
        _ => word.to_owned(),
    });
    words.collect()
}

/// `1 claim`, `2 claims`.
pub(in crate::page) fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("{n} {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_items_are_told_apart() {
        let figure = "better: synaptic:tau=200 -0.295 ± 0.013, batch -0.289 ± 0.013, triesch -0.277, a +1, b +2; \
                      worse: drift gain, input raw +0.1 ± 0.2 points, drift gain, input normalized -1.00 ± 0.20 points";
        assert_eq!(
            lines(figure, 2),
            [
                ("better".to_owned(), "synaptic:tau=200\u{a0}−0.295\u{a0}±\u{a0}0.013 · batch\u{a0}−0.289\u{a0}±\u{a0}0.013 · and 3 more".to_owned()),
                (
                    "worse".to_owned(),
                    "drift gain, input raw\u{a0}+0.1\u{a0}±\u{a0}0.2 points · drift gain, input normalized\u{a0}−1.00\u{a0}±\u{a0}0.20 points"
                        .to_owned()
                ),
            ]
        );
        assert_eq!(lines(figure, 9)[0].1.matches(" · ").count(), 4);
        assert_eq!(
            lines("better: a +1, b +2, c +3", 2)[0].1,
            "a\u{a0}+1 · b\u{a0}+2 · c\u{a0}+3",
            "no room is won by leaving out one"
        );
        assert_eq!(
            lines("there is nothing to compare", 2),
            [(String::new(), "there is nothing to compare".to_owned())]
        );
    }
}
