//! A network as Rust source.

use std::fmt::Write;

use norm_core::model;

/// A module with the file as a constant, and a type that holds just what this network needs.
pub(super) fn source(file: &[u8], steps: &[String], title: &str) -> String {
    let (inputs, outputs) = model::shape_of(file);
    let (work, state, kinds) = (model::work_of(file), model::state_of(file), model::kinds_of(file));
    let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = format!(
        "//! {title}\n//!\n//! Written by `norm export --format rust`; do not edit.\n//!\n//! ```text\n"
    );
    // Writing to a string does not fail.
    for step in steps {
        let _ = writeln!(out, "//! {step}");
    }
    let saved = match state {
        0 => String::new(),
        _ => format!("/// Bytes of a saved state.\npub const SAVED: usize = {};\n", model::saved_of(file)),
    };
    let _ = write!(
        out,
        "//! ```

use norm_core::Error;
use norm_core::model::{{Aligned, LoadError, Model}};

/// Values of one input.
pub const INPUTS: usize = {inputs};
/// Values of one output.
pub const OUTPUTS: usize = {outputs};
/// Words of memory that inference works in.
pub const WORK: usize = {work};
/// Words of state of homeostasis; 0 if nothing moves.
pub const STATE: usize = {state};
{saved}/// The steps and activation functions that are built in.
pub const KINDS: u32 = {kinds:#x};

/// The network, as it lies in flash.
pub static FILE: Aligned<[u8; {len}]> = Aligned([",
        len = file.len()
    );
    for (i, byte) in file.iter().enumerate() {
        let _ = write!(out, "{}{byte},", if i % 24 == 0 { "\n    " } else { " " });
    }
    out.push_str(
        "
]);

/// The network, checked.
#[derive(Debug, Clone, Copy)]
pub struct Network(Model<'static, KINDS>);

impl Network {
    /// Checks [`FILE`].
    pub fn load() -> Result<Self, LoadError> {
        Model::load(&FILE.0).map(Self)
    }

    /// The output for one input.
    pub fn predict(&self, input: &[f32; INPUTS]) -> Result<[f32; OUTPUTS], Error> {
        let (mut work, mut output) = ([0.0; WORK], [0.0; OUTPUTS]);
        self.0.run(input, &mut work, &mut output)?;
        Ok(output)
    }
",
    );
    if state > 0 {
        out.push_str(
            "
    /// The state from which homeostasis goes on.
    pub fn start(&self) -> Result<[f32; STATE], Error> {
        let mut state = [0.0; STATE];
        self.0.start(&mut state)?;
        Ok(state)
    }

    /// The output for one input, after which gains and thresholds follow it. An input that is not finite is refused and
    /// changes nothing.
    pub fn predict_and_adapt(
        &self,
        input: &[f32; INPUTS],
        state: &mut [f32; STATE],
    ) -> Result<[f32; OUTPUTS], Error> {
        let (mut work, mut output) = ([0.0; WORK], [0.0; OUTPUTS]);
        self.0.run_live(input, &mut work, &mut output, state)?;
        self.0.observe(state)?;
        Ok(output)
    }

    /// The state as bytes, to be kept over a loss of power.
    pub fn save(&self, state: &[f32; STATE]) -> Result<[u8; SAVED], Error> {
        let mut saved = [0; SAVED];
        self.0.save(state, &mut saved)?;
        Ok(saved)
    }

    /// The state that was saved; an error if these bytes are not what this network saved.
    pub fn restore(&self, saved: &[u8; SAVED]) -> Result<[f32; STATE], Error> {
        let mut state = [0.0; STATE];
        self.0.restore(saved, &mut state)?;
        Ok(state)
    }
",
        );
    }
    out.push_str(
        "
    /// All that norm-core's model can do.
    pub fn model(&self) -> &Model<'static, KINDS> {
        &self.0
    }
}
",
    );
    out
}
