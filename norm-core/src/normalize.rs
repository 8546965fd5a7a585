//! The interface that every method has, artificial or biological, at any scale.
//!
//! A method maps rows of numbers at one [`Site`] of a layer ([`Normalize`]), and may follow what it sees with
//! slow state of its own ([`Observe`]), change weights in place ([`Settle`]), or vanish into plain weights
//! and biases for inference ([`Fold`]).
//!
//! ```text
//!  input ──[Site::Input]──▶ x ──▶ u = Ŵ x + b ──[Site::Drive]──▶ z ──[Site::Activation]──▶ activity
//!                                  ▲
//!                   weight ──[Site::Weight]──▶ Ŵ
//! ```
//!
//! There is no train/eval switch: `forward`, `backward` and `infer` take `&self`, and state moves only in
//! [`Observe::observe`] and [`Settle::settle`]. A frozen normalizer is one that is not observed; following a
//! drifting sensor is `infer`, then `observe`.

use crate::{Error, Form, Real};

/// The spatial scale at which a method works, after Shen, Wang and Navlakha (2021).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scale {
    /// One neuron's activity.
    Neuron,
    /// One neuron's incoming weights.
    Synapse,
    /// The neurons of a layer, for one input.
    Layer,
    /// All neurons.
    Network,
}

/// Where a method comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// Deep learning.
    Artificial,
    /// Homeostatic plasticity of the brain.
    Biological,
}

/// Which rows of a layer a method maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Site {
    /// What arrives at the synapses: one row per sample, `inputs` wide.
    Input,
    /// The weights: one row per neuron, `inputs` wide.
    Weight,
    /// The drive before the activation function: one row per sample, `neurons × length` wide.
    Drive,
    /// From the drive to what the neurons fire, in place of the layer's activation function: rows as of the drive.
    Activation,
}

/// The initialization of weights that a method's paper asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Init {
    /// Normal, variance `1 / inputs` (LeCun 1998), biases 0.
    LecunNormal,
    /// Orthonormal rows or columns (Saxe 2014), biases 0.
    Orthogonal,
}

/// What the list of methods knows of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The name by which it is chosen, as on the command line.
    pub name: &'static str,
    /// Its scale.
    pub scale: Scale,
    /// Its origin.
    pub origin: Origin,
    /// One line on what it does.
    pub summary: &'static str,
    /// The paper it is taken from.
    pub source: &'static str,
    /// The initialization it was made for; `None` where any serves.
    pub init: Option<Init>,
}

/// A forward pass, as `backward` needs it.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a, T> {
    /// What `forward` was given.
    pub x: &'a [T],
    /// What it kept.
    pub tape: &'a [T],
    /// The gradient of the loss by what it returned.
    pub dy: &'a [T],
}

/// A differentiable map of rows.
///
/// All slices are row-major and hold one or more whole rows of [`width`](Self::width) values; output buffers
/// have the length of their input.
///
/// A method of [`Scale::Network`] that maps the drive has rows of one value, so that one instance serves the layers
/// of a network whatever their width, and observes the activity of all of them in one slice.
pub trait Normalize<T: Real> {
    /// What the method is.
    fn info(&self) -> Info;

    /// Which rows of a layer it maps.
    fn site(&self) -> Site;

    /// Values in one row.
    fn width(&self) -> usize;

    /// Values that [`forward`](Self::forward) keeps for [`backward`](Self::backward).
    fn tape_len(&self, rows: usize) -> usize;

    /// The training form: `y = f(x)`, by the statistics of `x` where the method has them.
    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), Error>;

    /// Gradients of the training form. `dx` is overwritten; parameter gradients (in the order of
    /// [`params`](Self::params)) accumulate. Slow state is a constant.
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], grads: [&mut [T]; 2]) -> Result<(), Error>;

    /// The inference form: `y = f(x)`, by the slow state where the method has any. Rows do not influence each
    /// other.
    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), Error>;

    /// Learned parameters, by convention weight and bias; empty where there is none.
    fn params(&self) -> [&[T]; 2] {
        [&[], &[]]
    }
}

/// What passed through a method, for its slow state to follow.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a, T> {
    /// What came in: the layer's input for [`Site::Input`] and [`Site::Weight`], the drive for
    /// [`Site::Drive`].
    pub x: &'a [T],
    /// What went out: the mapped input, or the drive as this method left it.
    pub y: &'a [T],
    /// What the neurons then fired: the drive after the activation function.
    pub activity: &'a [T],
}

/// Slow state that follows activity: running statistics, thresholds, gains.
///
/// A batch with a NaN or an infinity is refused with [`Error::NonFinite`] and changes nothing.
pub trait Observe<T: Real> {
    /// Moves the state by one sample or one batch. Returns the mean change of the log gain of the neurons' drive
    /// (0 where there is no gain), which the next layer may compensate for.
    fn observe(&mut self, seen: Seen<'_, T>) -> Result<T, Error>;

    /// [`observe`](Self::observe) right after the [`forward`](Normalize::forward) pass of the same rows that kept `tape`, which may
    /// spare reading them again: the state moves as by `observe`, to the bit.
    fn observe_kept(&mut self, seen: Seen<'_, T>, tape: &[T]) -> Result<T, Error> {
        let _ = tape;
        self.observe(seen)
    }

    /// Sets the state at once from a batch seen before training begins; by default there is nothing to set.
    fn calibrate(&mut self, seen: Seen<'_, T>) -> Result<(), Error> {
        let _ = seen;
        Ok(())
    }

    /// The inputs of this layer are about to change by the factor `exp(log_gain)`: adjust the state in the same
    /// step, so that the change does not travel through the depth of the network.
    fn compensate(&mut self, log_gain: T) {
        let _ = log_gain;
    }
}

/// When [`Settle::settle`] is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Once, after calibration and before training.
    Start,
    /// After every update of the weights.
    Update,
    /// In sleep: now and then, as after every epoch.
    Sleep,
}

/// Homeostasis that acts on the weights themselves: the caller's weights are changed in place.
///
/// A method of [`Site::Weight`] that settles is not applied as a map in every forward pass.
pub trait Settle<T: Real> {
    /// When it is due.
    fn when(&self) -> When;

    /// Takes the weights as they are as the baseline to keep.
    fn begin(&mut self, weight: &[T]) -> Result<(), Error>;

    /// Changes the weights, `neurons × inputs`. Weights that are not finite are refused and left as they are.
    fn settle(&mut self, weight: &mut [T]) -> Result<(), Error>;
}

/// Inference as a fixed affine map of each neuron's drive or inputs, and so as plain weights and biases.
pub trait Fold<T: Real> {
    /// Turns a layer's `weight` (`neurons × inputs`) and `bias` (`neurons`) into those that give, without the
    /// method, what `infer` gives with it. Fold methods of [`Site::Weight`] first, then [`Site::Input`], then
    /// [`Site::Drive`].
    fn fold(&self, weight: &mut [T], bias: &mut [T]) -> Result<(), Error>;

    /// For methods of [`Site::Input`]: turns what a convolution pads each channel of its input with behind the method
    /// into what it must pad with where the method was folded. By default they are the same.
    fn fold_padding(&self, pad: &mut [T]) -> Result<(), Error> {
        let _ = pad;
        Ok(())
    }
}

/// All that a training loop needs of any method.
pub trait Method<T: Real>: Normalize<T> {
    /// The learned parameters, to be changed.
    fn params_mut(&mut self) -> [&mut [T]; 2] {
        [&mut [], &mut []]
    }

    /// Sets learned parameters from the weights that training starts with, where they depend on them.
    fn start(&mut self, weight: &[T]) -> Result<(), Error> {
        let _ = weight;
        Ok(())
    }

    /// The slow state that must be kept to go on later, such as running statistics: slices in a fixed order.
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        [&mut [], &mut [], &mut []]
    }

    /// Its slow state, if it has any.
    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        None
    }

    /// Its changes of weights, if it makes any.
    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        None
    }

    /// Its folding, if inference is affine.
    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        None
    }

    /// Its inference form as data, for methods that are stored as steps of a network of their own.
    fn form(&self) -> Option<Form<'_, T>> {
        None
    }
}
