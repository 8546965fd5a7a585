use super::{Context, Layer, Piece};
use crate::kernels::{Geometry, avg_pool, avg_pool_backward, max_pool, max_pool_backward};
use crate::methods::Boxed;
use crate::{Error, Shape};

fn output(g: &Geometry) -> Shape {
    let [height, width] = g.output();
    Shape { channels: g.input().channels, height, width }
}

/// Windows without padding: what they should do with it, no two libraries agree.
fn geometry(input: Shape, kernel: [usize; 2], stride: [usize; 2]) -> Result<Geometry, Error> {
    Geometry::new(input, kernel, stride, [0, 0])
}

/// The largest value of each window, channel by channel: PyTorch's `MaxPool2d` without padding.
pub struct MaxPool2d {
    geometry: Geometry,
    chosen: Vec<u32>,
}

impl MaxPool2d {
    /// Windows of `kernel` at every `stride`-th place.
    ///
    /// # Errors
    ///
    /// As of [`Geometry::new`].
    pub fn new(input: Shape, kernel: [usize; 2], stride: [usize; 2]) -> Result<Self, Error> {
        Ok(Self { geometry: geometry(input, kernel, stride)?, chosen: Vec::new() })
    }
}

impl Layer for MaxPool2d {
    fn output(&self) -> Shape {
        output(&self.geometry)
    }

    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        if self.chosen.len() < y.len() {
            self.chosen.resize(y.len(), 0);
        }
        max_pool(&self.geometry, x, y, Some(&mut self.chosen[..y.len()]), &cx.threads);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        if let Some(dx) = dx {
            max_pool_backward(&self.geometry, &self.chosen[..dy.len()], dy, dx, &cx.threads);
        }
        Ok(())
    }

    fn infer(&self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        max_pool(&self.geometry, x, y, None, &cx.threads);
        Ok(())
    }

    fn piece<'a>(&'a self, _: &'a [Boxed<f32>]) -> Piece<'a> {
        Piece::MaxPool(self.geometry)
    }

    fn fold(&self, _: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(Self { geometry: self.geometry, chosen: Vec::new() }))
    }
}

/// The mean of each window, channel by channel: PyTorch's `AvgPool2d` without padding.
#[derive(Debug, Clone)]
pub struct AvgPool2d {
    geometry: Geometry,
}

impl AvgPool2d {
    /// Windows of `kernel` at every `stride`-th place.
    ///
    /// # Errors
    ///
    /// As of [`Geometry::new`].
    pub fn new(input: Shape, kernel: [usize; 2], stride: [usize; 2]) -> Result<Self, Error> {
        Ok(Self { geometry: geometry(input, kernel, stride)? })
    }

    /// The mean of each channel: one window as large as the image.
    pub fn global(input: Shape) -> Result<Self, Error> {
        Self::new(input, [input.height, input.width], [1, 1])
    }
}

impl Layer for AvgPool2d {
    fn output(&self) -> Shape {
        output(&self.geometry)
    }

    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.infer(cx, x, y)
    }

    fn backward(
        &mut self,
        _: &mut Context<'_>,
        _: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        if let Some(dx) = dx {
            avg_pool_backward(&self.geometry, dy, dx);
        }
        Ok(())
    }

    fn infer(&self, _: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        avg_pool(&self.geometry, x, y);
        Ok(())
    }

    fn piece<'a>(&'a self, _: &'a [Boxed<f32>]) -> Piece<'a> {
        Piece::AvgPool(self.geometry)
    }

    fn fold(&self, _: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(self.clone()))
    }
}
