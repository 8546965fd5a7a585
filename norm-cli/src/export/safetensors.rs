//! Tensors by name, as PyTorch knows them.

use norm_std::checkpoint::Checkpoint;
use norm_std::torch;

use crate::error::Error;
use crate::output::Output;

pub(crate) fn write(
    checkpoint: &Checkpoint,
    folded: bool,
    prefix: &str,
    output: &Output,
) -> Result<(), Error> {
    let mut network = checkpoint.network()?;
    let bytes = torch::export(&mut network, &checkpoint.about, folded, prefix).map_err(|e| match e {
        norm_std::Error::NoModule(_) if !folded => Error::failure(e.to_string())
            .hint("--folded writes plain weights where a method can be folded into them"),
        other => other.into(),
    })?;
    output.write(|to| to.write_all(&bytes))
}
