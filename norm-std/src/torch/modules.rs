//! The modules of an `nn.Sequential` that are a network of ours.

use norm_core::{Form, Method};

use crate::layers::{NeuronsPiece, Piece, Wiring, join};
use crate::{Activation, Error, Network, Recipe, Shape};

/// One module of an `nn.Sequential`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Module {
    /// The expression that makes it.
    pub(super) python: String,
    /// Its tensors, and those of the modules in it.
    pub(super) tensors: Vec<Tensor>,
    /// The names of tensors that count the batches seen.
    pub(super) counters: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Those of this name in [`Network::visit_named`].
    Of(String),
    /// These.
    Fixed(Vec<f32>),
}

impl Module {
    fn plain(python: impl Into<String>) -> Self {
        Self { python: python.into(), tensors: Vec::new(), counters: Vec::new() }
    }

    /// That counts batches.
    fn counting(python: impl Into<String>) -> Self {
        Self { counters: vec!["num_batches_tracked".to_owned()], ..Self::plain(python) }
    }

    fn with(mut self, name: &str, shape: &[usize], values: Values) -> Self {
        self.tensors.push(Tensor { name: name.to_owned(), shape: shape.to_vec(), values });
        self
    }

    /// Takes up the tensors of a chain of modules that is the attribute `name` of this one.
    fn containing(mut self, name: &str, inner: Vec<Module>) -> Self {
        for (i, module) in inner.into_iter().enumerate() {
            let path = |own: String| format!("{name}.{i}.{own}");
            self.counters.extend(module.counters.into_iter().map(path));
            self.tensors.extend(module.tensors.into_iter().map(|t| Tensor { name: path(t.name), ..t }));
        }
        self
    }
}

/// The Python expression that makes a chain of modules.
pub(super) fn python(modules: &[Module]) -> String {
    let modules: Vec<_> = modules.iter().map(|module| module.python.as_str()).collect();
    format!("nn.Sequential({})", modules.join(", "))
}

/// The modules of a network that was made by this recipe, with this dropout.
///
/// # Errors
///
/// A method that PyTorch has no module for.
pub(super) fn modules(network: &Network, recipe: &Recipe, dropout: f32) -> Result<Vec<Module>, Error> {
    let input = network.input();
    let mut walk = Walk { modules: Vec::new(), shape: input, image: input.positions() > 1, recipe, dropout };
    walk.pieces("", network.pieces())?;
    Ok(walk.modules)
}

struct Walk<'a> {
    modules: Vec<Module>,
    /// Of what arrives.
    shape: Shape,
    /// Whether that has four axes in PyTorch.
    image: bool,
    recipe: &'a Recipe,
    dropout: f32,
}

/// Names of methods as [`Network::visit_named`] counts them.
struct Names<'a> {
    path: &'a str,
    used: Vec<&'static str>,
}

impl Names<'_> {
    fn next(&mut self, method: &dyn Method<f32>) -> String {
        let name = method.info().name;
        self.used.push(name);
        match self.used.iter().filter(|&&known| known == name).count() {
            1 => join(self.path, name),
            n => join(self.path, format_args!("{name}-{n}")),
        }
    }
}

impl Walk<'_> {
    fn pieces(&mut self, path: &str, pieces: Vec<Piece<'_>>) -> Result<(), Error> {
        for (i, piece) in pieces.into_iter().enumerate() {
            let path = join(path, i);
            match piece {
                Piece::Neurons(neurons) => self.neurons(&path, &neurons)?,
                Piece::MaxPool(g) => self.pool("MaxPool2d", g.kernel(), g.stride(), g.output()),
                Piece::AvgPool(g) => self.pool("AvgPool2d", g.kernel(), g.stride(), g.output()),
                Piece::Nothing => self.modules.push(Module::plain(format!("nn.Dropout({})", self.dropout))),
                Piece::Other(what) => return Err(no_module(what)),
                Piece::Residual { body, shortcut, activation, firing } => {
                    self.residual(&path, body, shortcut)?;
                    self.fire(activation, firing)?;
                }
            }
        }
        Ok(())
    }

    fn residual(
        &mut self,
        path: &str,
        body: Vec<Piece<'_>>,
        shortcut: Option<NeuronsPiece<'_>>,
    ) -> Result<(), Error> {
        // The two ways start at the same place.
        let way = || Walk { modules: Vec::new(), ..*self };
        let (mut through, mut past) = (way(), way());
        through.pieces(&join(path, "body"), body)?;
        let mut made = python(&through.modules);
        if let Some(neurons) = shortcut {
            past.neurons(&join(path, "shortcut"), &neurons)?;
            made = format!("{made}, {}", python(&past.modules));
        }
        (self.shape, self.image) = (through.shape, through.image);
        let module = Module::plain(format!("Residual({made})")).containing("body", through.modules);
        self.modules.push(module.containing("shortcut", past.modules));
        Ok(())
    }

    fn fire(&mut self, f: Activation, method: Option<&dyn Method<f32>>) -> Result<(), Error> {
        match method {
            None if f == Activation::Identity => {}
            None => self.modules.push(Module::plain(activation(f))),
            Some(method) if method.info().name == "selu" => self.modules.push(Module::plain("nn.SELU()")),
            Some(method) => return Err(no_module(method.info().name)),
        }
        Ok(())
    }

    fn pool(&mut self, module: &str, kernel: [usize; 2], stride: [usize; 2], [height, width]: [usize; 2]) {
        let python = format!("nn.{module}({}, stride={})", pair(kernel), pair(stride));
        self.modules.push(Module::plain(python));
        self.shape = Shape { height, width, ..self.shape };
        self.image = true;
    }

    fn neurons(&mut self, path: &str, layer: &NeuronsPiece<'_>) -> Result<(), Error> {
        let mut names = Names { path, used: Vec::new() };
        if matches!(layer.wiring, Wiring::Dense(_)) && self.image {
            self.modules.push(Module::plain("nn.Flatten()"));
            (self.shape, self.image) = (Shape::flat(self.shape.len()), false);
        }
        for method in &layer.on_input {
            let name = names.next(*method);
            match method.info().name {
                "centering" => {
                    let mean = Values::Of(join(&name, "state.0"));
                    self.center(mean);
                }
                other => return Err(no_module(other)),
            }
        }
        self.connections(path, layer, &mut names)?;
        self.shape = layer.wiring.output();
        self.image = matches!(layer.wiring, Wiring::Conv2d(_));
        for (i, method) in layer.on_drive.iter().enumerate() {
            let name = names.next(*method);
            let behind =
                layer.on_drive.iter().skip(i + 1).filter(|m| m.info().name == method.info().name).count();
            let module = self.of_drive(*method, &name, behind)?;
            self.modules.push(module);
        }
        self.fire(layer.activation, layer.firing)
    }

    /// Subtracts a mean from each channel of what arrives.
    fn center(&mut self, mean: Values) {
        let (n, d) = (self.shape.channels, self.dimensions());
        let python = format!("nn.BatchNorm{d}d({n}, eps=0, affine=False)");
        let module = Module::counting(python).with("running_mean", &[n], mean);
        self.modules.push(module.with("running_var", &[n], Values::Fixed(vec![1.0; n])));
    }

    fn dimensions(&self) -> u8 {
        if self.image { 2 } else { 1 }
    }

    /// `Linear` or `Conv2d`, its weights normalized if they are.
    fn connections(
        &mut self,
        path: &str,
        layer: &NeuronsPiece<'_>,
        names: &mut Names<'_>,
    ) -> Result<(), Error> {
        let mut bias = Values::Of(join(path, "bias"));
        let (python, shape) = match layer.wiring {
            Wiring::Dense(dense) => {
                (format!("nn.Linear({}, {})", dense.inputs, dense.neurons), vec![dense.neurons, dense.inputs])
            }
            Wiring::Conv2d(conv) => {
                let (g, to) = (conv.geometry(), conv.output().channels);
                let (from, [height, width]) = (g.input().channels, g.kernel());
                if g.padding() != [0, 0] && conv.pad().iter().any(|&p| p != 0.0) {
                    // PyTorch pads with zeros: what stands around the image is taken off it, and its effect goes to the bias.
                    self.center(Values::Fixed(conv.pad().to_vec()));
                    bias = Values::Fixed(padded_bias(layer, conv.pad(), height * width));
                }
                let window = format!(
                    "{}, stride={}, padding={}",
                    pair(g.kernel()),
                    pair(g.stride()),
                    pair(g.padding())
                );
                (format!("nn.Conv2d({from}, {to}, {window})"), vec![to, from, height, width])
            }
        };
        let neurons = layer.bias.len();
        let mut module = Module::plain(python);
        let mut weight_name = "weight";
        for method in &layer.on_weight {
            let name = names.next(*method);
            let mut mapped = vec![0.0; layer.weight.len()];
            let info = method.info();
            method.infer(layer.weight, &mut mapped).map_err(Error::method(info.name))?;
            if info.name == "weight" && layer.on_weight.len() == 1 {
                module.python = format!("nn.utils.parametrizations.weight_norm({})", module.python);
                let mut lengths = vec![1; shape.len()];
                if let Some(first) = lengths.first_mut() {
                    *first = neurons;
                }
                let values = Values::Of(join(&name, "weight"));
                module = module.with("parametrizations.weight.original0", &lengths, values);
                weight_name = "parametrizations.weight.original1";
            } else if mapped != layer.weight {
                return Err(no_module(info.name));
            }
        }
        module = module.with(weight_name, &shape, Values::Of(join(path, "weight")));
        self.modules.push(module.with("bias", &[neurons], bias));
        Ok(())
    }

    /// A method of the drive, with so many of its kind behind it in the layer.
    fn of_drive(&self, method: &dyn Method<f32>, name: &str, behind: usize) -> Result<Module, Error> {
        let Shape { channels, height, width } = self.shape;
        let each = if self.image { vec![channels, height, width] } else { vec![channels] };
        let sizes = format!("[{}]", each.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
        let of = |part: &str| Values::Of(join(name, part));
        let affine = |python: String, shape: &[usize]| {
            Module::plain(python).with("weight", shape, of("weight")).with("bias", shape, of("bias"))
        };
        Ok(match (method.info().name, method.form()) {
            ("batch", _) => {
                // It folds, so its form is not kept: what was asked for is in the recipe.
                let own = self.recipe.parts().iter().rev().filter(|part| part.info.name == "batch");
                let eps = own.into_iter().nth(behind).and_then(|part| part.option("eps")).unwrap_or(1e-5);
                let python = format!("nn.BatchNorm{}d({channels}, eps={eps})", self.dimensions());
                let counters = Module::counting("").counters;
                let module = Module { counters, ..affine(python, &[channels]) };
                module.with("running_mean", &[channels], of("state.0")).with(
                    "running_var",
                    &[channels],
                    of("state.1"),
                )
            }
            ("layer", Some(Form::LayerNorm { eps, .. })) => {
                affine(format!("nn.LayerNorm({sizes}, eps={eps})"), &each)
            }
            ("rms", Some(Form::RmsNorm { eps, .. })) => {
                Module::plain(format!("nn.RMSNorm({sizes}, eps={eps})")).with("weight", &each, of("weight"))
            }
            ("instance", Some(Form::GroupNorm { eps, .. })) if self.image => {
                affine(format!("nn.InstanceNorm2d({channels}, eps={eps}, affine=True)"), &[channels])
            }
            ("group", Some(Form::GroupNorm { groups, eps, .. })) => {
                affine(format!("nn.GroupNorm({groups}, {channels}, eps={eps})"), &[channels])
            }
            (other, _) => return Err(no_module(other)),
        })
    }
}

/// The bias of a convolution that pads with zeros instead of `pad`, its input less `pad`.
fn padded_bias(layer: &NeuronsPiece<'_>, pad: &[f32], taps: usize) -> Vec<f32> {
    let rows = layer.weight.chunks(pad.len().max(1) * taps.max(1)).zip(layer.bias);
    let effect = |row: &[f32]| -> f64 {
        let channels = row.chunks(taps.max(1)).zip(pad);
        channels.map(|(w, &p)| f64::from(p) * w.iter().map(|&w| f64::from(w)).sum::<f64>()).sum()
    };
    rows.map(|(row, &bias)| (f64::from(bias) + effect(row)) as f32).collect()
}

fn pair([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("({a}, {b})") }
}

fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "nn.ReLU()",
        Activation::LeakyRelu => "nn.LeakyReLU()",
        Activation::Tanh => "nn.Tanh()",
        Activation::Sigmoid => "nn.Sigmoid()",
        Activation::Gelu => "nn.GELU()",
        Activation::Silu => "nn.SiLU()",
        Activation::Elu => "nn.ELU()",
        Activation::Identity => "nn.Identity()",
    }
}

fn no_module(method: &str) -> Error {
    Error::NoModule(method.to_owned())
}
