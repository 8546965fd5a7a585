use core::fmt;

/// Why a file was not taken for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// Too short for a header, or no whole number of words.
    Truncated {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Its first byte does not lie at a multiple of 4.
    Misaligned,
    /// It does not begin as a model does.
    NotAModel,
    /// Written for another version of the format.
    Version {
        /// The version that it says.
        got: u32,
    },
    /// Its length is not what it says.
    Length {
        /// The length in bytes that it says.
        expected: u32,
        /// Its length.
        got: usize,
    },
    /// It was changed since it was written.
    Checksum {
        /// The checksum that it says.
        expected: u32,
        /// The checksum of what is there.
        got: u32,
    },
    /// It needs steps or activation functions for which this program was not built.
    NotBuiltIn {
        /// The bits that are missing.
        bits: u32,
    },
    /// A step is not what it should be.
    Step {
        /// Which one, from 0.
        step: usize,
        /// What is wrong with it.
        problem: Problem,
    },
    /// What the header says of the steps is not so.
    Header {
        /// Which field.
        field: &'static str,
        /// What it says.
        says: usize,
        /// What the steps need.
        needs: usize,
    },
}

/// What can be wrong with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Its fields and arrays do not fill its length.
    Size,
    /// No such kind of step.
    Kind,
    /// No such activation function, or one that is not listed in the header.
    Activation,
    /// A shape is empty, or too large for the machine.
    Shape,
    /// It takes something else than the step before it gives.
    Chain,
    /// A parameter is out of range or not finite.
    Parameter,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LoadError::Truncated { bytes } => {
                write!(f, "a file of {bytes} bytes is no whole model; copy it again")
            }
            LoadError::Misaligned => {
                write!(
                    f,
                    "the model must lie at an address that is a multiple of 4; embed it by include_model!"
                )
            }
            LoadError::NotAModel => write!(f, "this is no model of norm-core; write one by `norm export`"),
            LoadError::Version { got } => {
                write!(
                    f,
                    "format version {got}, but this program reads {}; export it again",
                    super::format::VERSION
                )
            }
            LoadError::Length { expected, got } => {
                write!(f, "the model has {got} bytes, but should have {expected}; copy it again")
            }
            LoadError::Checksum { expected, got } => {
                write!(f, "the model's checksum is {got:08x}, but should be {expected:08x}; copy it again")
            }
            LoadError::NotBuiltIn { bits } => {
                write!(f, "the model needs kinds of steps that this program leaves out (bits {bits:08x})")
            }
            LoadError::Step { step, problem } => {
                let problem = match problem {
                    Problem::Size => "its parts do not fill its length",
                    Problem::Kind => "no such kind of step",
                    Problem::Activation => "no such activation function, or not listed in the header",
                    Problem::Shape => "a shape is empty or too large",
                    Problem::Chain => "it does not take what the step before it gives",
                    Problem::Parameter => "a parameter is out of range or not finite",
                };
                write!(f, "step {step} of the model: {problem}")
            }
            LoadError::Header { field, says, needs } => {
                write!(f, "the model's header is wrong about {field}: it says {says}, but should say {needs}")
            }
        }
    }
}

impl core::error::Error for LoadError {}
