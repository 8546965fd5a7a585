use norm_core::When;

use super::firing::Firing;
use super::stage::Stage;
use super::{Chain, Context, Layer, Named, Neurons, Param, Piece, join};
use crate::methods::Boxed;
use crate::{Buffer, Error, Shape};

/// A residual block: neurons that are driven by the last of a chain of layers and, past the chain, by its input.
///
/// ```text
///  x ──┬──▶ layers ──▶ last neurons' drive ──▶ (+) ──▶ [activation] ──▶ y
///      └──────── x itself, or a projection ─────▲
/// ```
///
/// He, Zhang, Ren, Sun, *Deep residual learning for image recognition*, CVPR 2016, arXiv:1512.03385: methods of the drive
/// act in the chain and in the projection, before the sum; the activation function, or a method in its place, after it.
/// Methods that follow what neurons fire see what is fired after the sum.
pub struct Residual {
    body: Chain,
    shortcut: Option<Neurons>,
    firing: Firing,
    branch: Buffer,
    past: Buffer,
    sum: Buffer,
    len: usize,
}

impl Residual {
    /// `layers`, then `last`, over rows of `input`; with a projection where the shapes differ or one is wanted. What
    /// `last` was to fire is fired by the sum; what the projection was to fire, by nobody.
    ///
    /// # Errors
    ///
    /// Summands of different shapes.
    pub fn new(
        input: Shape,
        mut layers: Vec<Box<dyn Layer>>,
        last: Neurons,
        projection: Option<Neurons>,
    ) -> Result<Self, Error> {
        let (last, firing) = last.into_summand();
        let shortcut = projection.map(|neurons| neurons.into_summand().0);
        let (output, past) = (last.output(), shortcut.as_ref().map_or(input, Layer::output));
        if past != output {
            let problem =
                format!("its layers give {output}, but {past} passes by; a projection to that is needed");
            return Err(Error::Misfit { layer: "a residual block".to_owned(), input, problem });
        }
        layers.push(Box::new(last));
        Ok(Self::of(Chain::new(layers)?, shortcut, firing))
    }

    fn of(body: Chain, shortcut: Option<Neurons>, firing: Firing) -> Self {
        let [branch, past, sum] = Default::default();
        Self { body, shortcut, firing, branch, past, sum, len: 0 }
    }

    /// The drive of both ways, by one form of the layers, and what is fired.
    fn run(
        &mut self,
        cx: &mut Context<'_>,
        x: &[f32],
        y: &mut [f32],
        form: impl Fn(&mut dyn Layer, &mut Context<'_>, &[f32], &mut [f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.len = y.len();
        let branch = self.branch.room(y.len());
        form(&mut self.body, cx, x, branch)?;
        let past = match &mut self.shortcut {
            None => x,
            Some(neurons) => {
                let past = self.past.room(y.len());
                form(neurons, cx, x, past)?;
                past
            }
        };
        let sum = self.sum.room(y.len());
        sum.iter_mut().zip(branch.iter().zip(past)).for_each(|(sum, (a, b))| *sum = a + b);
        self.firing.forward(cx, sum, y)
    }
}

impl Layer for Residual {
    fn output(&self) -> Shape {
        self.body.output()
    }

    fn hidden(&self) -> usize {
        self.body.hidden() + usize::from(self.firing.hidden)
    }

    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.run(cx, x, y, |layer, cx, x, y| layer.forward(cx, x, y))?;
        self.firing.show(cx, self.output(), y);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        mut dx: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        let [mut copy, mut dx_past] = [cx.scratch.borrow(), cx.scratch.borrow()];
        let dsum = copy.room(self.len);
        self.firing.backward(cx, &self.sum[..self.len], y, dy, dsum)?;
        // The layers of the chain may overwrite the gradient that they are given.
        dsum.copy_from_slice(dy);
        self.body.backward(cx, x, &self.branch[..self.len], dy, dx.as_deref_mut())?;
        let add = |dx: &mut [f32], past: &[f32]| dx.iter_mut().zip(past).for_each(|(dx, past)| *dx += past);
        match (&mut self.shortcut, dx) {
            (None, None) => {}
            (None, Some(dx)) => add(dx, dsum),
            (Some(neurons), None) => neurons.backward(cx, x, &self.past[..self.len], dsum, None)?,
            (Some(neurons), Some(dx)) => {
                let dx_past = dx_past.room(dx.len());
                neurons.backward(cx, x, &self.past[..self.len], dsum, Some(dx_past))?;
                add(dx, dx_past);
            }
        }
        cx.scratch.give_back([copy, dx_past]);
        Ok(())
    }

    fn infer(&self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        let [mut sum, mut past] = [cx.scratch.borrow(), cx.scratch.borrow()];
        let z = sum.room(y.len());
        self.body.infer(cx, x, z)?;
        let past_rows = match &self.shortcut {
            None => x,
            Some(neurons) => {
                let past = past.room(y.len());
                neurons.infer(cx, x, past)?;
                past
            }
        };
        z.iter_mut().zip(past_rows).for_each(|(z, past)| *z += past);
        self.firing.infer(cx, z, y)?;
        cx.scratch.give_back([sum, past]);
        self.firing.edit(cx, self.output(), y);
        self.firing.show(cx, self.output(), y);
        Ok(())
    }

    fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        self.body.visit(f);
        self.shortcut.iter_mut().for_each(|neurons| neurons.visit(f));
        self.firing.visit(f);
    }

    fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        self.body.visit_state(f);
        self.shortcut.iter_mut().for_each(|neurons| neurons.visit_state(f));
        self.firing.visit_state(f);
    }

    fn visit_named(&mut self, path: &str, f: &mut dyn FnMut(Named<'_>)) {
        self.body.visit_named(&join(path, "body"), f);
        self.shortcut.iter_mut().for_each(|neurons| neurons.visit_named(&join(path, "shortcut"), f));
        Stage::visit_named(self.firing.method.iter_mut(), path, f);
    }

    fn observe(&mut self, cx: &mut Context<'_>, x: &[f32], y: &[f32], change: f32) -> Result<f32, Error> {
        self.body.observe(cx, x, y, change)?;
        if let Some(neurons) = &mut self.shortcut {
            neurons.observe(cx, x, y, change)?;
        }
        self.firing.observe(cx, &self.sum[..self.len], y)?;
        // What comes by two ways did not change by one factor.
        Ok(0.0)
    }

    fn calibrate(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.run(cx, x, y, |layer, cx, x, y| layer.calibrate(cx, x, y))?;
        self.firing.calibrate(&self.sum[..self.len], y)?;
        self.firing.forward(cx, &self.sum[..self.len], y)
    }

    fn settle(&mut self, when: When) -> Result<(), Error> {
        self.body.settle(when)?;
        self.shortcut.iter_mut().try_for_each(|neurons| neurons.settle(when))
    }

    fn piece<'a>(&'a self, shared: &'a [Boxed<f32>]) -> Piece<'a> {
        Piece::Residual {
            body: self.body.pieces(shared),
            shortcut: self.shortcut.as_ref().map(|neurons| neurons.to_piece(shared)),
            activation: self.firing.activation,
            firing: self.firing.method.as_ref().map(|stage| stage.as_method(shared)),
        }
    }

    fn fold(&self, shared: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error> {
        let shortcut = self.shortcut.as_ref().map(|neurons| neurons.folded(shared)).transpose()?;
        Ok(Box::new(Self::of(self.body.folded(shared)?, shortcut, self.firing.copy())))
    }
}
