//! Networks as PyTorch knows them: an `nn.Sequential` and its tensors, in the safetensors format.
//!
//! A network is a chain of PyTorch's modules, and its numbers get the names that `nn.Sequential` gives them, so that
//! `load_state_dict` takes them as they are:
//!
//! | ours | PyTorch | tensors |
//! |---|---|---|
//! | dense, convolution | `Linear`, `Conv2d`; before the first `Linear` after an image `Flatten` | `weight`, `bias` |
//! | `batch` | `BatchNorm1d`, `BatchNorm2d` | `weight`, `bias`, `running_mean`, `running_var`, `num_batches_tracked` |
//! | `layer`, `rms`, `group`, `instance` | `LayerNorm`, `RMSNorm`, `GroupNorm`, `InstanceNorm2d` | `weight`, `bias` |
//! | `weight` | `parametrizations.weight_norm` of the layer | `parametrizations.weight.original0`, `.original1`, `bias` |
//! | `centering` | `BatchNorm1d`, `BatchNorm2d` with `eps=0, affine=False` and a variance of 1 | `running_mean`, `running_var`, `num_batches_tracked` |
//! | residual block | `Residual` as below, then the activation | those of `body` and `shortcut` |
//! | activation, `selu`, dropout, pooling | `ReLU`, `SELU`, `Dropout`, `MaxPool2d` and so on | none |
//!
//! PyTorch has no module for the sum of two ways either; the names of a residual block are those of
//!
//! ```python
//! class Residual(nn.Module):
//!     def __init__(self, body, shortcut=None):
//!         super().__init__()
//!         self.body, self.shortcut = body, shortcut or nn.Identity()
//!
//!     def forward(self, x):
//!         return self.body(x) + self.shortcut(x)
//! ```
//!
//! Other methods have no module in PyTorch: fold them into plain weights first ([`Network::fold`]). A convolution that then
//! pads its input with other values than 0 gets a centering module for them. Methods that only act on weights in
//! training, such as `sleep`, are not seen in the file.
//!
//! The file's metadata has `pytorch`, the Python expression that makes the network, `standardize`, what is to be done to
//! inputs before it (`(x − mean) · scale`, for each group of values of a row), and `norm`, by which [`import`] makes the same network again.

mod modules;

use std::collections::{BTreeMap, HashMap};

use safetensors::{SafeTensors, tensor::Dtype};

use crate::checkpoint::About;
use crate::store::{Stored, floats};
use crate::{Error, Network, Recipe, Tensors};
use modules::{Tensor, Values, python};

/// The network as a file of the safetensors format; names start with `prefix`, such as `net.` where the network is that
/// attribute of a module. `folded`: with plain weights where methods can be folded into them.
///
/// # Errors
///
/// A method that PyTorch has no module for.
pub fn export(network: &mut Network, about: &About, folded: bool, prefix: &str) -> Result<Vec<u8>, Error> {
    let mut own;
    let network = match folded {
        false => network,
        true => {
            own = network.fold()?;
            &mut own
        }
    };
    let modules = modules::modules(network, &about.config.method, about.config.model.dropout())?;
    let tensors = network.tensors();
    let mut files = Vec::new();
    for (i, module) in modules.iter().enumerate() {
        for Tensor { name, shape, values } in &module.tensors {
            let values = match values {
                Values::Of(own) => {
                    tensors.get(own).ok_or_else(|| Error::Tensors(format!("{own} is missing")))?
                }
                Values::Fixed(values) => values,
            };
            files.push((format!("{prefix}{i}.{name}"), Stored::f32(shape.clone(), values)));
        }
        for name in &module.counters {
            // Batches are not counted here, and PyTorch uses the number only without a momentum.
            let zero = Stored { dtype: Dtype::I64, shape: Vec::new(), bytes: vec![0; 8] };
            files.push((format!("{prefix}{i}.{name}"), zero));
        }
    }
    let mut metadata =
        HashMap::from([("format".to_owned(), "pt".to_owned()), ("pytorch".to_owned(), python(&modules))]);
    let json =
        |e: serde_json::Error| Error::Tensors(format!("the description cannot be written as JSON: {e}"));
    if let Some(standardize) = &about.standardize {
        metadata.insert("standardize".to_owned(), serde_json::to_string(standardize).map_err(json)?);
    }
    let mut plain = about.clone();
    if folded {
        plain.config.method = Recipe::none();
    }
    // Only where it describes what is in the file: of a folded network, no method may be left.
    let described = plain.config.network(plain.input, plain.classes.len())?;
    if modules::modules(&described, &plain.config.method, plain.config.model.dropout())
        .is_ok_and(|of| of.iter().map(|m| &m.python).eq(modules.iter().map(|m| &m.python)))
    {
        metadata.insert("norm".to_owned(), serde_json::to_string(&plain).map_err(json)?);
    }
    safetensors::serialize(files, Some(metadata)).map_err(|e| Error::Tensors(e.to_string()))
}

/// What a file says of its network, if [`export`] wrote it and it can be made again.
pub fn about(bytes: &[u8]) -> Option<About> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    serde_json::from_str(header.metadata().as_ref()?.get("norm")?).ok()
}

/// Takes a network's numbers from a file of the safetensors format with the names of an `nn.Sequential`, all of them perhaps
/// behind a common prefix; float32 or float64.
///
/// # Errors
///
/// The file is none of that format, or does not have exactly the network's tensors; a method of the network has no
/// module in PyTorch.
pub fn import(bytes: &[u8], network: &mut Network, recipe: &Recipe, dropout: f32) -> Result<(), Error> {
    let bad = Error::Tensors;
    let file = SafeTensors::deserialize(bytes).map_err(|e| bad(format!("it is no safetensors file: {e}")))?;
    let modules = modules::modules(network, recipe, dropout)?;
    let mut wanted = BTreeMap::new();
    for (i, module) in modules.iter().enumerate() {
        wanted.extend(module.tensors.iter().map(|tensor| (format!("{i}.{}", tensor.name), tensor)));
    }
    let mut left: BTreeMap<&str, _> =
        file.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")).collect();
    let prefix =
        wanted.keys().next().and_then(|first| left.keys().find_map(|name| name.strip_suffix(first.as_str())));
    let prefix = prefix.unwrap_or_default().to_owned();
    let mut tensors: Tensors = network.tensors();
    for (name, Tensor { shape, values, .. }) in &wanted {
        let name = format!("{prefix}{name}");
        let Some(found) = left.remove(name.as_str()) else {
            return Err(bad(format!(
                "{name} of shape {shape:?} is missing; the network is {}",
                python(&modules)
            )));
        };
        if found.shape() != shape {
            return Err(bad(format!("{name} has the shape {:?}, but {shape:?} is needed", found.shape())));
        }
        let got = match found.dtype() {
            Dtype::F32 => floats(found.data()),
            Dtype::F64 => found.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            other => return Err(bad(format!("{name} is {other:?}, but F32 or F64 is needed"))),
        };
        match values {
            Values::Of(own) => drop(tensors.insert(own.clone(), got)),
            Values::Fixed(fixed) if *fixed == got => {}
            Values::Fixed(_) => return Err(bad(format!("{name} is not what centering alone would have"))),
        }
    }
    if let Some(name) = left.keys().next() {
        return Err(bad(format!("there is {name}, which the network has not; it is {}", python(&modules))));
    }
    network.set_tensors(&tensors)
}
