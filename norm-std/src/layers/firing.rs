use super::stage::Stage;
use super::{Activity, Context, Param};
use crate::{Activation, Error, Shape};

/// What neurons make of their drive: an activation function, or a method in its place.
pub(super) struct Firing {
    pub(super) activation: Activation,
    pub(super) method: Option<Stage>,
    /// Whether probes are told.
    pub(super) hidden: bool,
}

fn activate(activation: Activation, cx: &Context<'_>, z: &[f32], y: &mut [f32]) {
    let piece = cx.threads.share(z.len(), 1);
    cx.threads.each(z.chunks(piece).zip(y.chunks_mut(piece)), |(z, y)| activation.forward(z, y));
}

impl Firing {
    /// Of which no probe is told.
    pub(super) fn new(activation: Activation) -> Self {
        Self { activation, method: None, hidden: false }
    }

    pub(super) fn forward(&mut self, cx: &Context<'_>, z: &[f32], y: &mut [f32]) -> Result<(), Error> {
        match &mut self.method {
            None => activate(self.activation, cx, z, y),
            Some(stage) => {
                stage.forward(cx, z)?;
                y.copy_from_slice(stage.y());
            }
        }
        Ok(())
    }

    /// The gradient by the drive, in place of that by the activity `y`; `free` is memory of the same length.
    pub(super) fn backward(
        &mut self,
        cx: &Context<'_>,
        z: &[f32],
        y: &[f32],
        grad: &mut [f32],
        free: &mut [f32],
    ) -> Result<(), Error> {
        match &mut self.method {
            None => {
                // Of drive that was rectified at once nothing else is left, and nothing else is needed.
                let z = if self.is_relu() { y } else { z };
                let piece = cx.threads.share(z.len(), 1);
                let pieces = z.chunks(piece).zip(y.chunks(piece)).zip(grad.chunks_mut(piece));
                cx.threads.each(pieces, |((z, y), grad)| self.activation.backward(z, y, grad));
            }
            Some(stage) => {
                stage.backward(cx, z, grad, free)?;
                grad.copy_from_slice(free);
            }
        }
        Ok(())
    }

    pub(super) fn infer(&self, cx: &Context<'_>, z: &[f32], y: &mut [f32]) -> Result<(), Error> {
        match &self.method {
            None => activate(self.activation, cx, z, y),
            Some(stage) => stage.infer(cx, z, y)?,
        }
        Ok(())
    }

    pub(super) fn observe(&mut self, cx: &Context<'_>, z: &[f32], y: &[f32]) -> Result<(), Error> {
        self.method.iter_mut().try_for_each(|stage| stage.observe(cx, z, None, y).map(|_| ()))
    }

    pub(super) fn calibrate(&mut self, z: &[f32], y: &[f32]) -> Result<(), Error> {
        self.method.iter_mut().try_for_each(|stage| stage.calibrate(z, None, y))
    }

    /// Whether that is ReLU alone.
    pub(super) fn is_relu(&self) -> bool {
        self.method.is_none() && self.activation == Activation::Relu
    }

    /// Whether a common factor of the drive is one of the activity.
    pub(super) fn is_homogeneous(&self) -> bool {
        self.method.is_none() && self.activation.is_homogeneous()
    }

    /// Lets the editor change what hidden neurons fired.
    pub(super) fn edit(&self, cx: &mut Context<'_>, shape: Shape, y: &mut [f32]) {
        if let Some(edit) = cx.edit.as_mut().filter(|_| self.hidden) {
            edit(shape, y);
        }
    }

    /// Shows a probe what hidden neurons fired.
    pub(super) fn show(&self, cx: &mut Context<'_>, shape: Shape, y: &[f32]) {
        if let Some(probe) = cx.probe.as_mut().filter(|_| self.hidden) {
            probe(Activity { shape, rows: y });
        }
    }

    pub(super) fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        self.method.iter_mut().for_each(|stage| stage.visit(f));
    }

    pub(super) fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        self.method.iter_mut().for_each(|stage| stage.visit_state(f));
    }

    /// The same, without what the last pass left.
    pub(super) fn copy(&self) -> Self {
        Self { method: self.method.as_ref().map(Stage::copy), ..*self }
    }
}
