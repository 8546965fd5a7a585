use norm_core::{Scale, Site, Spec};

use super::Plan;
use crate::kernels::Geometry;
use crate::layers::{AvgPool2d, Conv2d, Dense, Dropout, Layer, MaxPool2d, Neurons, Residual, Wiring};
use crate::methods::Boxed;
use crate::random::Random;
use crate::{Error, Initialization, Network, Part, Recipe, Scheme, Shape};

/// A step of an architecture, before it is known what arrives there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Hidden neurons, each connected to everything that arrives.
    Dense(usize),
    /// Hidden neurons behind square kernels.
    Conv(Conv),
    /// The largest value of square windows, side by side.
    MaxPool(usize),
    /// The mean of each channel.
    GlobalAvgPool,
    /// A block of two convolutions by 3x3, the first with this stride; a projection by 1x1 where shapes change.
    Residual { channels: usize, stride: usize },
    /// Values silenced in training with this probability.
    Dropout(f32),
}

/// A convolution by square kernels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Conv {
    pub(super) channels: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Zeros above and below, left and right.
    pub(super) padding: [usize; 2],
}

impl Conv {
    /// By 3x3, padded so that with stride 1 the image keeps its size.
    pub(super) const fn of_3x3(channels: usize, stride: usize) -> Self {
        Self { channels, kernel: 3, stride, padding: [1, 1] }
    }

    fn wiring(self, input: Shape) -> Result<Wiring, Error> {
        let Self { channels, kernel, stride, padding } = self;
        Ok(Conv2d::new(Geometry::new(input, [kernel; 2], [stride; 2], padding)?, channels)?.into())
    }
}

impl Step {
    /// What it makes of `input`, how many hidden neurons (at all positions) it has, and how many layers of them, one
    /// behind another.
    fn output(self, input: Shape) -> Result<(Shape, usize, usize), Error> {
        Ok(match self {
            Step::Dense(neurons) => (Shape::flat(neurons), neurons, 1),
            Step::Conv(conv) => {
                let output = conv.wiring(input)?.output();
                (output, output.len(), 1)
            }
            Step::MaxPool(size) => (MaxPool2d::new(input, [size; 2], [size; 2])?.output(), 0, 0),
            Step::GlobalAvgPool => (Shape::flat(input.channels), 0, 0),
            Step::Residual { channels, stride } => {
                let output = Conv::of_3x3(channels, stride).wiring(input)?.output();
                (output, 2 * output.len(), 2)
            }
            Step::Dropout(_) => (input, 0, 0),
        })
    }
}

/// The weights of these steps and of the readout behind them.
pub(super) fn weights(steps: &[Step], input: Shape, classes: usize) -> Result<usize, Error> {
    let (mut shape, mut total) = (input, 0usize);
    for step in steps {
        let by = |a: usize, b: usize| a.saturating_mul(b);
        let (output, ..) = step.output(shape)?;
        let own = match *step {
            Step::Dense(neurons) => by(shape.len(), neurons),
            Step::Conv(conv) => by(by(shape.channels, conv.kernel * conv.kernel), conv.channels),
            Step::Residual { channels, .. } => {
                let projection = if output == shape { 0 } else { by(shape.channels, channels) };
                by(9 * channels, shape.channels.saturating_add(channels)).saturating_add(projection)
            }
            Step::MaxPool(_) | Step::GlobalAvgPool | Step::Dropout(_) => 0,
        };
        (shape, total) = (output, total.saturating_add(own));
    }
    Ok(total.saturating_add(shape.len().saturating_mul(classes)))
}

/// A network of these steps, then the classes.
pub(super) fn build(steps: &[Step], plan: &Plan<'_>) -> Result<Network, Error> {
    let (mut shape, mut hidden, mut depth) = (plan.input, 0, 0);
    for step in steps {
        let (output, neurons, layers) = step.output(shape)?;
        (shape, hidden, depth) = (output, hidden + neurons, depth + layers);
    }
    let scheme = plan.recipe.init().map(|init| Initialization::from(Scheme::from(init)));
    let mut maker = Maker {
        plan,
        initialization: plan.initialization.or(scheme).unwrap_or_default(),
        shared: shared(plan, hidden, depth)?,
        homeless: plan.recipe.parts().iter().map(|_| Some(Error::Empty { what: "the network" })).collect(),
        drawn: 0,
        dropouts: 0,
    };
    let (mut shape, mut layers) = (plan.input, Vec::new());
    for step in steps {
        let layer = maker.layer(*step, shape)?;
        shape = layer.output();
        layers.push(layer);
    }
    layers.push(maker.readout(shape));
    maker.every_method_has_a_place()?;
    Network::new(plan.input, layers, maker.shared)
}

/// The methods of which all layers share one: those of network scale that map the drive.
fn shared(plan: &Plan<'_>, hidden: usize, depth: usize) -> Result<Vec<Boxed<f32>>, Error> {
    let parts = plan.recipe.parts().iter().filter(|part| part.info.scale == Scale::Network);
    // What only the whole network knows; an option that was given counts more.
    let known = [("neurons", hidden), ("depth", depth.max(1))].map(|(key, n)| (key.to_owned(), n as f64));
    let build = |part: &Part| {
        let options = known.iter().filter(|(key, _)| part.takes(key)).chain(&part.options).cloned().collect();
        Part { info: part.info, options }.build(Spec::dense(hidden, 1))
    };
    let built = parts.map(build).collect::<Result<Vec<_>, _>>()?;
    Ok(built.into_iter().filter(|method| method.site() == Site::Drive).collect())
}

struct Maker<'a> {
    plan: &'a Plan<'a>,
    initialization: Initialization,
    shared: Vec<Boxed<f32>>,
    /// For each part of the recipe, why no layer has taken it yet.
    homeless: Vec<Option<Error>>,
    /// Layers whose weights were drawn.
    drawn: u64,
    dropouts: u32,
}

impl Maker<'_> {
    /// A stream for the weights of the next layer.
    fn random(&mut self) -> Random {
        self.drawn += 1;
        Random::new(self.plan.seed, "weights", self.drawn - 1, 0)
    }

    fn neurons(&mut self, wiring: impl Into<Wiring>) -> Result<Neurons, Error> {
        let wiring = wiring.into();
        let (mut random, recipe) = (self.random(), self.fitting(&wiring)?);
        let (activation, initialization) = (self.plan.activation, self.initialization);
        Neurons::new(wiring, activation, &recipe, &self.shared, initialization, &mut random)
    }

    /// The recipe without what this layer cannot have: instance norm, say, is left out of the dense layers of a
    /// convolutional network.
    fn fitting(&mut self, wiring: &Wiring) -> Result<Recipe, Error> {
        let (recipe, mut fits) = (self.plan.recipe, Vec::new());
        for (i, part) in recipe.parts().iter().enumerate() {
            match part.build(wiring.spec()) {
                Ok(_) => self.homeless[i] = None,
                Err(e @ Error::Method { source: norm_core::Error::Unfit { .. }, .. }) => {
                    let homeless = &mut self.homeless[i];
                    *homeless = homeless.take().map(|_| e);
                    fits.push(false);
                    continue;
                }
                Err(other) => return Err(other),
            }
            fits.push(true);
        }
        Ok(recipe.only(&fits))
    }

    /// A method that fits no layer at all is an error.
    fn every_method_has_a_place(&mut self) -> Result<(), Error> {
        if self.drawn < 2 {
            return Ok(()); // No hidden layer.
        }
        self.homeless.iter_mut().find_map(Option::take).map_or(Ok(()), Err)
    }

    fn layer(&mut self, step: Step, input: Shape) -> Result<Box<dyn Layer>, Error> {
        Ok(match step {
            Step::Dense(neurons) => Box::new(self.neurons(Dense { inputs: input.len(), neurons })?),
            Step::Conv(conv) => Box::new(self.neurons(conv.wiring(input)?)?),
            Step::MaxPool(size) => Box::new(MaxPool2d::new(input, [size; 2], [size; 2])?),
            Step::GlobalAvgPool => Box::new(AvgPool2d::global(input)?),
            Step::Residual { channels, stride } => Box::new(self.residual(input, channels, stride)?),
            Step::Dropout(probability) => {
                self.dropouts += 1;
                Box::new(Dropout::new(input, probability, self.plan.seed, self.dropouts - 1)?)
            }
        })
    }

    fn residual(&mut self, input: Shape, channels: usize, stride: usize) -> Result<Residual, Error> {
        let first = self.neurons(Conv::of_3x3(channels, stride).wiring(input)?)?;
        let last = self.neurons(Conv::of_3x3(channels, 1).wiring(first.output())?)?;
        let projection = match last.output() == input {
            true => None,
            false => {
                let conv = Conv { channels, kernel: 1, stride, padding: [0, 0] };
                Some(self.neurons(conv.wiring(input)?)?)
            }
        };
        Residual::new(input, vec![Box::new(first)], last, projection)
    }

    fn readout(&mut self, input: Shape) -> Box<dyn Layer> {
        let readout = Dense { inputs: input.len(), neurons: self.plan.classes };
        Box::new(Neurons::readout(readout, self.initialization, &mut self.random()))
    }
}
