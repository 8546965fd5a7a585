use norm_core::When;

use super::{Context, Layer, Named, Param, Piece, join};
use crate::methods::Boxed;
use crate::{Buffer, Error, Shape};

/// Layers one after another, and the memory that flows between them. Buffers grow to the largest batch seen and are
/// then reused.
pub struct Chain {
    layers: Vec<Box<dyn Layer>>,
    /// What each layer gave, the last one excepted: that goes to the caller.
    between: Vec<Buffer>,
    grads: [Buffer; 2],
}

impl Chain {
    /// Layers in order.
    ///
    /// # Errors
    ///
    /// No layers.
    pub fn new(layers: Vec<Box<dyn Layer>>) -> Result<Self, Error> {
        if layers.is_empty() {
            return Err(Error::Empty { what: "the network" });
        }
        let between = layers.iter().skip(1).map(|_| Buffer::default()).collect();
        Ok(Self { layers, between, grads: Default::default() })
    }

    /// Layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// What each layer is.
    pub(crate) fn pieces<'a>(&'a self, shared: &'a [Boxed<f32>]) -> Vec<Piece<'a>> {
        self.layers.iter().map(|layer| layer.piece(shared)).collect()
    }

    /// The same layers for inference, as [`Layer::fold`].
    pub(crate) fn folded(&self, shared: &[Boxed<f32>]) -> Result<Self, Error> {
        Self::new(self.layers.iter().map(|layer| layer.fold(shared)).collect::<Result<_, _>>()?)
    }

    /// Samples that give `y`.
    fn rows(&self, y: &[f32]) -> usize {
        y.len() / self.output().len().max(1)
    }

    /// Runs `each` on every layer in order, with its input and its output.
    fn through(
        &mut self,
        x: &[f32],
        y: &mut [f32],
        mut each: impl FnMut(&mut dyn Layer, &[f32], &mut [f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (rows, mut x) = (self.rows(y), x);
        let mut between = self.between.iter_mut();
        for layer in &mut self.layers {
            match between.next() {
                None => return each(&mut **layer, x, y),
                Some(buffer) => {
                    let y = buffer.room(rows * layer.output().len());
                    each(&mut **layer, x, y)?;
                    x = y;
                }
            }
        }
        Ok(())
    }
}

impl Layer for Chain {
    fn output(&self) -> Shape {
        self.layers.last().map_or(Shape::flat(0), |layer| layer.output())
    }

    fn hidden(&self) -> usize {
        self.layers.iter().map(|layer| layer.hidden()).sum()
    }

    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.through(x, y, |layer, x, y| layer.forward(cx, x, y))
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        let rows = self.rows(y);
        let kept = |layer: &dyn Layer| rows * layer.output().len();
        let [a, b] = &mut self.grads;
        let (mut to, mut from) = (a, b);
        let (mut y, mut dy) = (y, dy);
        for i in (1..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(i);
            let [.., before] = before else { break };
            let len = kept(&**before);
            let x = &self.between[i - 1][..len];
            rest[0].backward(cx, x, y, dy, Some(to.room(len)))?;
            std::mem::swap(&mut to, &mut from);
            (y, dy) = (x, &mut from[..len]);
        }
        self.layers[0].backward(cx, x, y, dy, dx)
    }

    fn infer(&self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        let rows = self.rows(y);
        let [mut to, mut from] = [cx.scratch.borrow(), cx.scratch.borrow()];
        let mut len = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let x = len.map_or(x, |len| &from[..len]);
            if i + 1 == self.layers.len() {
                layer.infer(cx, x, y)?;
            } else {
                let out = rows * layer.output().len();
                layer.infer(cx, x, to.room(out))?;
                std::mem::swap(&mut to, &mut from);
                len = Some(out);
            }
        }
        cx.scratch.give_back([to, from]);
        Ok(())
    }

    fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        self.layers.iter_mut().for_each(|layer| layer.visit(f));
    }

    fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        self.layers.iter_mut().for_each(|layer| layer.visit_state(f));
    }

    fn visit_named(&mut self, path: &str, f: &mut dyn FnMut(Named<'_>)) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.visit_named(&join(path, i), f);
        }
    }

    fn observe(&mut self, cx: &mut Context<'_>, x: &[f32], y: &[f32], change: f32) -> Result<f32, Error> {
        let (rows, mut x, mut change) = (self.rows(y), x, change);
        let mut between = self.between.iter();
        for layer in &mut self.layers {
            let y = between.next().map_or(y, |buffer| &buffer[..rows * layer.output().len()]);
            change = layer.observe(cx, x, y, change)?;
            x = y;
        }
        Ok(change)
    }

    fn calibrate(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.through(x, y, |layer, x, y| layer.calibrate(cx, x, y))
    }

    fn settle(&mut self, when: When) -> Result<(), Error> {
        self.layers.iter_mut().try_for_each(|layer| layer.settle(when))
    }

    fn fold(&self, shared: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(self.folded(shared)?))
    }
}
