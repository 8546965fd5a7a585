//! How a method is made for a layer, by whoever owns the memory.

use crate::{Error, Info, Real};

/// The layer that a method is made for, and the method's options.
#[derive(Clone, Copy)]
pub struct Spec<'a> {
    /// Neurons, or channels after a convolution.
    pub neurons: usize,
    /// Weights of one neuron: the inputs of a dense layer, or channels × kernel height × width.
    pub inputs: usize,
    /// Positions of one channel of the drive (height × width); 1 in a dense layer.
    pub length: usize,
    /// Channels that arrive at the layer; its inputs if it is dense.
    pub channels_in: usize,
    /// Positions of one arriving channel; 1 in a dense layer.
    pub length_in: usize,
    /// Value of an option by name, such as `groups` or `eps`; `None` for its default.
    pub option: &'a dyn Fn(&str) -> Option<f64>,
}

impl<'a> Spec<'a> {
    /// A dense layer, all options at their defaults.
    pub fn dense(neurons: usize, inputs: usize) -> Spec<'static> {
        Spec { neurons, inputs, length: 1, channels_in: inputs, length_in: 1, option: &|_| None }
    }

    /// The option, or its default.
    pub fn get<T: Real>(&self, name: &str, default: f64) -> T {
        T::from_f64((self.option)(name).unwrap_or(default))
    }

    /// The option as a count, or its default.
    pub fn count(&self, name: &'static str, default: usize) -> Result<usize, Error> {
        match (self.option)(name) {
            None => Ok(default),
            Some(v) if v >= 1.0 && v <= u32::MAX as f64 && v as u32 as f64 == v => Ok(v as u32 as usize),
            Some(value) => Err(Error::Param { name, value, range: "a whole number from 1" }),
        }
    }
}

/// A method that can be made for any layer, its buffers coming from `alloc(length, value)`.
pub trait Build<T: Real, S>: Sized {
    /// What the method is.
    const INFO: Info;
    /// The options that [`Spec::option`] is asked for.
    const OPTIONS: &'static [&'static str] = &[];

    /// Makes it.
    fn build(spec: Spec<'_>, alloc: &mut dyn FnMut(usize, T) -> Result<S, Error>) -> Result<Self, Error>;
}
