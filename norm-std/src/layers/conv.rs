use crate::kernels::{Geometry, conv2d, conv2d_input, conv2d_params};
use crate::threads::Workspace;
use crate::{Buffer, Error, Shape};

/// How neurons are connected to their inputs: each channel by one kernel at every position of an image, PyTorch's
/// `Conv2d`.
///
/// ```text
/// u[o] = bias[o] + Σ_c weight[o, c] ⋆ x[c]          weight: channels × (channels in · kernel height · kernel width)
/// ```
///
/// Around the image stand zeros. Where presynaptic centering precedes the convolution, a zero stands for the channel's
/// mean, so a layer into which centering was folded pads each channel with a value of its own.
#[derive(Debug, Clone)]
pub struct Conv2d {
    pub(super) geometry: Geometry,
    pub(super) channels: usize,
    /// What stands around each channel of the image; empty for zeros.
    pub(super) pad: Buffer,
}

impl Conv2d {
    /// To `channels` channels, by a window over images of one shape.
    ///
    /// # Errors
    ///
    /// No channels.
    pub fn new(geometry: Geometry, channels: usize) -> Result<Self, Error> {
        if channels == 0 {
            return Err(Error::Setting { name: "channels", value: 0.0, range: "at least 1" });
        }
        Ok(Self { geometry, channels, pad: Buffer::default() })
    }

    /// The window.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// What stands around each channel of the image; empty for zeros.
    pub fn pad(&self) -> &[f32] {
        &self.pad
    }

    pub(crate) fn output(&self) -> Shape {
        let [height, width] = self.geometry.output();
        Shape { channels: self.channels, height, width }
    }

    pub(crate) fn forward(&self, x: &[f32], params: (&[f32], &[f32]), u: &mut [f32], work: &mut Workspace) {
        conv2d(&self.geometry, x, &self.pad, params, u, work);
    }

    pub(crate) fn backward_params(
        &self,
        x: &[f32],
        du: &[f32],
        grads: (&mut [f32], &mut [f32]),
        work: &mut Workspace,
    ) {
        conv2d_params(&self.geometry, x, &self.pad, du, grads, work);
    }

    pub(crate) fn backward_input(&self, du: &[f32], weight: &[f32], dx: &mut [f32], work: &mut Workspace) {
        conv2d_input(&self.geometry, du, weight, dx, work);
    }
}
