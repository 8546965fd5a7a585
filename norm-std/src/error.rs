//! What can go wrong on the desktop, in words that say what to do.

/// Why a call was refused or a run ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A method refused its layer, its buffers or its parameters.
    #[error("{method}: {source}")]
    Method {
        /// The method's name.
        method: String,
        /// What it said.
        source: norm_core::Error,
    },
    /// No method of that name.
    #[error("there is no method {name:?}; the methods are {known}")]
    UnknownMethod {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A method has no such option.
    #[error("{method} has no option {option:?}; its options are {known}")]
    UnknownOption {
        /// The method.
        method: String,
        /// The option that was asked for.
        option: String,
        /// The options that there are.
        known: String,
    },
    /// An expression (of methods, a model, a schedule) could not be read.
    #[error("cannot read {what} {text:?}: {problem}")]
    Syntax {
        /// What was to be read.
        what: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// Rows do not fit the network.
    #[error("{what}: {got} values per row, but the network takes {expected}")]
    Width {
        /// Which argument.
        what: &'static str,
        /// The width it must have.
        expected: usize,
        /// The width it has.
        got: usize,
    },
    /// A layer cannot take what arrives at it.
    #[error("{layer} does not fit an input of {input}: {problem}")]
    Misfit {
        /// The layer, in words.
        layer: String,
        /// What arrives.
        input: crate::Shape,
        /// Why, and what would fit.
        problem: String,
    },
    /// As many labels as rows are needed, each below the number of classes.
    #[error("{0}")]
    Labels(String),
    /// None of the methods fits the model.
    #[error("no method fits this model: {0}")]
    Unfit(String),
    /// The caller asked to stop.
    #[error("stopped before the end")]
    Stopped,
    /// PyTorch has nothing for a layer or a method.
    #[error("PyTorch has no module for {0}")]
    NoModule(String),
    /// Stored numbers do not fit the network.
    #[error("the stored numbers do not fit the network: {0}")]
    Tensors(String),
    /// A checkpoint or another stored network cannot be used.
    #[error("{path}: {problem}", path = path.display())]
    Stored {
        /// The file.
        path: std::path::PathBuf,
        /// Why, and what to do.
        problem: String,
    },
    /// A run cannot go on from a checkpoint.
    #[error("the run cannot go on from this checkpoint: {0}")]
    Other(String),
    /// Nothing to train on or to measure.
    #[error("{what} has no rows")]
    Empty {
        /// What.
        what: &'static str,
    },
    /// The system gives no more threads.
    #[error("{count} threads cannot be started ({problem}); fewer may do")]
    Threads {
        /// How many were wanted.
        count: usize,
        /// What the system said.
        problem: String,
    },
    /// A network that cannot be exported.
    #[error("the network cannot be exported: {0}")]
    Export(String),
    /// A setting is out of range.
    #[error("{name} is {value}, but must be {range}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        range: &'static str,
    },
}

impl Error {
    /// Names the method that refused.
    pub(crate) fn method(name: &str) -> impl Fn(norm_core::Error) -> Self + '_ {
        move |source| Error::Method { method: name.to_owned(), source }
    }

    /// That every row has a label.
    pub(crate) fn check_labels(rows: usize, labels: &[u32]) -> Result<(), Self> {
        match labels.len() {
            got if got == rows => Ok(()),
            got => Err(Error::Labels(format!("{rows} rows have {got} labels; one each is needed"))),
        }
    }
}
