use super::{Context, Layer, Piece};
use crate::methods::Boxed;
use crate::random::Random;
use crate::{Buffer, Error, Shape};

/// Dropout: in training, each value is silenced with a probability, and what is left is raised by what is missing.
///
/// ```text
/// y = x m / (1 − p)          m: 0 with probability p, else 1, drawn for every value of every step
/// ```
///
/// Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, JMLR 15 (2014), in PyTorch's
/// inverted form: at inference nothing is done. The masks are a function of the seed, the layer, the step and the
/// sample's place in the batch, whatever parts the batch is worked on in.
#[derive(Debug, Clone)]
pub struct Dropout {
    shape: Shape,
    probability: f32,
    seed: u64,
    layer: u32,
    factors: Buffer,
}

impl Dropout {
    /// With a probability from 0 to below 1; `layer` sets the dropout layers of a network with one seed apart.
    ///
    /// # Errors
    ///
    /// A probability out of range.
    pub fn new(shape: Shape, probability: f32, seed: u64, layer: u32) -> Result<Self, Error> {
        match probability {
            p if (0.0..1.0).contains(&p) => {
                Ok(Self { shape, probability, seed, layer, factors: Buffer::default() })
            }
            p => Err(Error::Setting { name: "dropout", value: p.into(), range: "from 0 to below 1" }),
        }
    }
}

impl Layer for Dropout {
    fn output(&self) -> Shape {
        self.shape
    }

    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        let (silenced, kept) = (f64::from(self.probability), 1.0 / (1.0 - self.probability));
        let factors = self.factors.room(x.len());
        for (row, factors) in (cx.first_row as u64..).zip(factors.chunks_mut(self.shape.len().max(1))) {
            let mut random = Random::new(self.seed, "dropout", cx.step, row << 32 | u64::from(self.layer));
            factors.fill_with(|| if random.unit() < silenced { 0.0 } else { kept });
        }
        // A product, so that a NaN stays visible.
        y.iter_mut().zip(x.iter().zip(factors)).for_each(|(y, (x, f))| *y = x * *f);
        Ok(())
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
            dx.iter_mut().zip(dy.iter().zip(&self.factors)).for_each(|(dx, (dy, f))| *dx = dy * f);
        }
        Ok(())
    }

    fn infer(&self, _: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        y.copy_from_slice(x);
        Ok(())
    }

    fn piece<'a>(&'a self, _: &'a [Boxed<f32>]) -> Piece<'a> {
        Piece::Nothing
    }

    fn fold(&self, _: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(Self { factors: Buffer::default(), ..self.clone() }))
    }
}
