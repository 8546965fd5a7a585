use norm_core::{Scale, Site, Spec};

use super::Plan;
use crate::kernels::Geometry;
use crate::layers::{Conv2d, Dense, Layer, MaxPool2d, Neurons, Wiring};
use crate::methods::Boxed;
use crate::random::Random;
use crate::{Error, Initialization, Network, Scheme, Shape};

/// A step of an architecture, before it is known what arrives there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Hidden neurons, each connected to everything that arrives.
    Dense(usize),
    /// Hidden neurons behind square kernels.
    Conv(Conv),
    /// The largest value of square windows, side by side.
    MaxPool(usize),
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
    fn wiring(self, input: Shape) -> Result<Wiring, Error> {
        let Self { channels, kernel, stride, padding } = self;
        Ok(Conv2d::new(Geometry::new(input, [kernel; 2], [stride; 2], padding)?, channels)?.into())
    }
}

impl Step {
    /// What it makes of `input`, and how many hidden neurons (at all positions) it has.
    fn output(self, input: Shape) -> Result<(Shape, usize), Error> {
        Ok(match self {
            Step::Dense(neurons) => (Shape::flat(neurons), neurons),
            Step::Conv(conv) => {
                let output = conv.wiring(input)?.output();
                (output, output.len())
            }
            Step::MaxPool(size) => (MaxPool2d::new(input, [size; 2], [size; 2])?.output(), 0),
        })
    }
}

/// A network of these steps, then the classes.
pub(super) fn build(steps: &[Step], plan: &Plan<'_>) -> Result<Network, Error> {
    let (mut shape, mut hidden) = (plan.input, 0);
    for step in steps {
        let (output, neurons) = step.output(shape)?;
        (shape, hidden) = (output, hidden + neurons);
    }
    let scheme = plan.recipe.init().map(|init| Initialization::from(Scheme::from(init)));
    let mut maker = Maker {
        plan,
        initialization: plan.initialization.or(scheme).unwrap_or_default(),
        shared: shared(plan, hidden)?,
        drawn: 0,
    };
    let (mut shape, mut layers) = (plan.input, Vec::new());
    for step in steps {
        let layer = maker.layer(*step, shape)?;
        shape = layer.output();
        layers.push(layer);
    }
    layers.push(maker.readout(shape));
    Network::new(plan.input, layers, maker.shared)
}

/// The methods of which all layers share one: those of network scale that map the drive.
fn shared(plan: &Plan<'_>, hidden: usize) -> Result<Vec<Boxed<f32>>, Error> {
    let parts = plan.recipe.parts().iter().filter(|part| part.info.scale == Scale::Network);
    let built = parts.map(|part| part.build(Spec::dense(hidden, 1))).collect::<Result<Vec<_>, _>>()?;
    Ok(built.into_iter().filter(|method| method.site() == Site::Drive).collect())
}

struct Maker<'a> {
    plan: &'a Plan<'a>,
    initialization: Initialization,
    shared: Vec<Boxed<f32>>,
    /// Layers whose weights were drawn.
    drawn: u64,
}

impl Maker<'_> {
    /// A stream for the weights of the next layer.
    fn random(&mut self) -> Random {
        self.drawn += 1;
        Random::new(self.plan.seed, "weights", self.drawn - 1, 0)
    }

    fn neurons(&mut self, wiring: impl Into<Wiring>) -> Result<Neurons, Error> {
        let mut random = self.random();
        let (plan, initialization) = (self.plan, self.initialization);
        Neurons::new(wiring, plan.activation, plan.recipe, &self.shared, initialization, &mut random)
    }

    fn layer(&mut self, step: Step, input: Shape) -> Result<Box<dyn Layer>, Error> {
        Ok(match step {
            Step::Dense(neurons) => Box::new(self.neurons(Dense { inputs: input.len(), neurons })?),
            Step::Conv(conv) => Box::new(self.neurons(conv.wiring(input)?)?),
            Step::MaxPool(size) => Box::new(MaxPool2d::new(input, [size; 2], [size; 2])?),
        })
    }

    fn readout(&mut self, input: Shape) -> Box<dyn Layer> {
        let readout = Dense { inputs: input.len(), neurons: self.plan.classes };
        Box::new(Neurons::readout(readout, self.initialization, &mut self.random()))
    }
}
