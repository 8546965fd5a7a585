//! Layers: the steps of a network, each a map of rows with its gradient.

mod chain;
mod conv;
mod dense;
mod dropout;
mod firing;
mod neurons;
mod piece;
mod pool;
mod residual;
mod stage;
mod wiring;

pub use chain::Chain;
pub use conv::Conv2d;
pub use dense::Dense;
pub use dropout::Dropout;
pub use neurons::Neurons;
pub use piece::{NeuronsPiece, Piece};
pub use pool::{AvgPool2d, MaxPool2d};
pub use residual::Residual;
pub use wiring::Wiring;

use norm_core::When;

use crate::methods::Boxed;
use crate::threads::{Threads, Workspace};
use crate::{Buffer, Error, Shape};

/// What layers need that is not their own.
pub struct Context<'a> {
    /// The methods of network scale, which all layers share.
    pub shared: &'a [Boxed<f32>],
    /// Memory to work in.
    pub scratch: &'a mut Scratch,
    /// The threads to work with.
    pub threads: Threads,
    /// Is told the activity of every layer of hidden neurons, in order of depth.
    pub probe: Option<&'a mut dyn FnMut(Activity<'_>)>,
    /// May change what a layer of hidden neurons fires in the inference form, before a probe or the next layer sees it, in order
    /// of depth: so neurons are silenced.
    pub edit: Option<Edit<'a>>,
    /// The number of the step of training, from which what is random in a step is drawn.
    pub step: u64,
    /// Which sample of the step's batch the first row is: not 0 where the batch is worked on in parts.
    pub first_row: usize,
}

impl<'a> Context<'a> {
    /// Of one step, on the whole batch, without a probe; with the threads of the memory.
    pub fn new(shared: &'a [Boxed<f32>], scratch: &'a mut Scratch, step: u64) -> Self {
        Self {
            shared,
            threads: scratch.threads().clone(),
            scratch,
            probe: None,
            edit: None,
            step,
            first_row: 0,
        }
    }
}

/// Changes what a layer of hidden neurons fires: its neurons and positions, and one row per sample.
pub type Edit<'a> = &'a mut dyn FnMut(Shape, &mut [f32]);

/// The activity of a layer of hidden neurons.
#[derive(Debug, Clone, Copy)]
pub struct Activity<'a> {
    /// Its neurons (channels) and their positions.
    pub shape: Shape,
    /// One row per sample.
    pub rows: &'a [f32],
}

/// Buffers that any layer may use during one call.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) a: Buffer,
    pub(crate) b: Buffer,
    pub(crate) drive: Buffer,
    pub(crate) gain: Buffer,
    pub(crate) weight: Buffer,
    pub(crate) weight_b: Buffer,
    /// The threads, and the memory of kernels.
    pub(crate) work: Workspace,
    /// Buffers of any content that nobody uses.
    idle: Vec<Buffer>,
}

impl Scratch {
    /// For layers that work with these threads.
    pub fn new(threads: Threads) -> Self {
        Self { work: Workspace::new(threads), ..Self::default() }
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        self.work.threads()
    }

    /// A buffer of any content and length, for as long as a layer needs it.
    fn borrow(&mut self) -> Buffer {
        self.idle.pop().unwrap_or_default()
    }

    /// Takes back, in the order of `borrow`, so that each buffer is soon as large as its user needs.
    fn give_back<const N: usize>(&mut self, buffers: [Buffer; N]) {
        self.idle.extend(buffers.into_iter().rev());
    }
}

/// A learned parameter with its gradient.
#[derive(Debug)]
pub struct Param<'a> {
    /// Its name within the layer.
    pub name: &'static str,
    /// Its values.
    pub value: &'a mut [f32],
    /// The gradient of the loss by them.
    pub grad: &'a mut [f32],
    /// For weights, the incoming synapses of one neuron; 0 for other parameters, which plasticity bounds and weight
    /// decay leave alone.
    pub unit: usize,
}

/// Numbers of a layer under a name that no others in the network have, the same whenever the network is built.
#[derive(Debug)]
pub struct Named<'a> {
    /// Such as `0.weight`, `0.batch.weight`, `0.batch.state.1`, `3.body.0.bias`.
    pub name: &'a str,
    /// Whether it is a learned parameter; otherwise it is slow state.
    pub learned: bool,
    /// Its values.
    pub value: &'a mut [f32],
}

/// The name of a part of what has the name `path`; the network itself has none.
pub(crate) fn join(path: &str, part: impl std::fmt::Display) -> String {
    if path.is_empty() { part.to_string() } else { format!("{path}.{part}") }
}

/// One step of a network.
///
/// Rows are samples, row-major. Buffers are the network's; a layer keeps between `forward` and `backward` what only it
/// knows of.
pub trait Layer: Send + Sync {
    /// The shape of one sample that comes out.
    fn output(&self) -> Shape;

    /// Layers of hidden neurons in it: how often it calls the probe.
    fn hidden(&self) -> usize {
        0
    }

    /// The training form.
    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error>;

    /// Gradients of the training form, after `forward` on the same rows. `dy` may be overwritten; the gradient by `x`
    /// goes to `dx` where it is wanted; those by parameters are kept for [`visit`](Self::visit).
    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), Error>;

    /// The inference form.
    fn infer(&self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error>;

    /// Shows every learned parameter, in a fixed order.
    fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        let _ = f;
    }

    /// Shows every slow state, in a fixed order.
    fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        let _ = f;
    }

    /// Shows every learned parameter and every slow state with a name that starts with `path`, in a fixed order; parameters in
    /// that of [`visit`](Self::visit).
    fn visit_named(&mut self, path: &str, f: &mut dyn FnMut(Named<'_>)) {
        self.visit(&mut |p| f(Named { name: &join(path, p.name), learned: true, value: p.value }));
        self.visit_state(&mut |name, value| f(Named { name: &join(path, name), learned: false, value }));
    }

    /// Lets slow state follow the last `forward`. The drive of the layer before changed by `exp(change)` in this
    /// step; returns by how much this one's did.
    fn observe(&mut self, cx: &mut Context<'_>, x: &[f32], y: &[f32], change: f32) -> Result<f32, Error> {
        let _ = (cx, x, y);
        Ok(change)
    }

    /// Sets slow state from the rows, seen before training, and maps them.
    fn calibrate(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.forward(cx, x, y)
    }

    /// Lets methods that act on weights do so.
    fn settle(&mut self, when: When) -> Result<(), Error> {
        let _ = when;
        Ok(())
    }

    /// What the layer is, for those who store trained networks; `shared` are the network's methods.
    fn piece<'a>(&'a self, shared: &'a [Boxed<f32>]) -> Piece<'a> {
        let _ = shared;
        Piece::Other("a layer of its own kind")
    }

    /// The same layer for inference, with every method that can be turned into plain weights and biases.
    fn fold(&self, shared: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error>;
}
