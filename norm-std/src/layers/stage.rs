//! One method at its place in a layer.

use norm_core::{Form, Method, Pass, Seen};

use super::{Context, Named, Param, join};
use crate::methods::Boxed;
use crate::{Buffer, Error};

/// Whose method it is.
pub(super) enum Owner {
    /// The layer's own.
    Own(Boxed<f32>),
    /// The network's, shared by its layers: its index in [`Context::shared`].
    Shared(usize),
}

impl Owner {
    fn method<'a>(&'a self, shared: &'a [Boxed<f32>]) -> &'a Boxed<f32> {
        match self {
            Owner::Own(method) => method,
            Owner::Shared(index) => &shared[*index],
        }
    }
}

/// A method, what its last forward pass gave and kept, and the gradients of its parameters.
pub(super) struct Stage {
    pub(super) owner: Owner,
    y: Buffer,
    len: usize,
    tape: Buffer,
    tape_len: usize,
    grads: [Buffer; 2],
}

impl Stage {
    pub(super) fn new(owner: Owner) -> Self {
        let grads = match &owner {
            Owner::Own(method) => method.params().map(|p| Buffer::zeros(p.len())),
            Owner::Shared(_) => Default::default(),
        };
        Self { owner, y: Buffer::default(), len: 0, tape: Buffer::default(), tape_len: 0, grads }
    }

    pub(super) fn own_mut(&mut self) -> Option<&mut dyn Method<f32>> {
        match &mut self.owner {
            Owner::Own(method) => Some(&mut **method),
            Owner::Shared(_) => None,
        }
    }

    fn method<'a>(&'a self, shared: &'a [Boxed<f32>]) -> &'a Boxed<f32> {
        self.owner.method(shared)
    }

    /// The method, whoever owns it.
    pub(super) fn as_method<'a>(&'a self, shared: &'a [Boxed<f32>]) -> &'a dyn Method<f32> {
        &**self.method(shared)
    }

    /// The logarithms of the factors by which it multiplies the weights of each neuron, if that is all it does.
    pub(super) fn log_gains<'a>(&'a self, shared: &'a [Boxed<f32>]) -> Option<&'a [f32]> {
        match self.as_method(shared).form() {
            Some(Form::SynapticScaling { log_gain, .. }) => Some(log_gain),
            _ => None,
        }
    }

    /// What the last forward pass gave; nothing of one that was [rectified](Self::rectified).
    pub(super) fn y(&self) -> &[f32] {
        &self.y[..self.len]
    }

    /// The training form; the result stays here.
    pub(super) fn forward(&mut self, cx: &Context<'_>, x: &[f32]) -> Result<(), Error> {
        let method = self.owner.method(cx.shared);
        (self.len, self.tape_len) = (x.len(), method.tape_len(x.len() / method.width().max(1)));
        let (y, tape) = (self.y.room(self.len), self.tape.room(self.tape_len));
        method.forward_by(&cx.threads, x, y, tape).map_err(Error::method(method.info().name))
    }

    /// The training form and then ReLU, into `fired`, if the method has both in one; the normalized values themselves are not kept.
    pub(super) fn rectified(
        &mut self,
        cx: &Context<'_>,
        x: &[f32],
        fired: &mut [f32],
    ) -> Result<bool, Error> {
        let method = self.owner.method(cx.shared);
        let tape_len = method.tape_len(x.len() / method.width().max(1));
        let done = method.rectified_by(&cx.threads, x, fired, self.tape.room(tape_len));
        if let Some(done) = done {
            (self.len, self.tape_len) = (0, tape_len);
            done.map_err(Error::method(method.info().name))?;
        }
        Ok(done.is_some())
    }

    /// `dx` is overwritten, and so are the gradients of the method's parameters.
    pub(super) fn backward(
        &mut self,
        cx: &Context<'_>,
        x: &[f32],
        dy: &[f32],
        dx: &mut [f32],
    ) -> Result<(), Error> {
        let method = self.owner.method(cx.shared);
        let [dweight, dbias] = &mut self.grads;
        dweight.fill(0.0);
        dbias.fill(0.0);
        let pass = Pass { x, tape: &self.tape[..self.tape_len], dy };
        method.backward_by(&cx.threads, pass, dx, [dweight, dbias]).map_err(Error::method(method.info().name))
    }

    /// The inference form.
    pub(super) fn infer(&self, cx: &Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        let method = self.method(cx.shared);
        method.infer_by(&cx.threads, x, y).map_err(Error::method(method.info().name))
    }

    /// Lets the method's own slow state, if it has any, follow what the last forward pass saw: the rows that came in, for a
    /// method of weights the `drive` that came of them, and what the neurons fired. Returns the mean change of the log gain.
    pub(super) fn observe(
        &mut self,
        cx: &Context<'_>,
        x: &[f32],
        drive: Option<&[f32]>,
        activity: &[f32],
    ) -> Result<f32, Error> {
        let Owner::Own(method) = &mut self.owner else { return Ok(0.0) };
        let seen = Seen { x, y: drive.unwrap_or(&self.y[..self.len]), activity };
        let done = method.observe_by(&cx.threads, seen, &self.tape[..self.tape_len]);
        done.map_err(Error::method(method.info().name))
    }

    /// Tells the method's own slow state that its inputs are about to change by the factor `exp(log_gain)`.
    pub(super) fn compensate(&mut self, log_gain: f32) {
        if log_gain != 0.0
            && let Owner::Own(method) = &mut self.owner
            && let Some(observe) = method.as_observe()
        {
            observe.compensate(log_gain);
        }
    }

    /// Sets the method's own slow state at once; the arguments are those of [`observe`](Self::observe).
    pub(super) fn calibrate(
        &mut self,
        x: &[f32],
        drive: Option<&[f32]>,
        activity: &[f32],
    ) -> Result<(), Error> {
        let Owner::Own(method) = &mut self.owner else { return Ok(()) };
        let name = method.info().name;
        let seen = Seen { x, y: drive.unwrap_or(&self.y[..self.len]), activity };
        method.as_observe().map_or(Ok(()), |observe| observe.calibrate(seen)).map_err(Error::method(name))
    }

    /// Folds the method into plain weights and biases, if it can be.
    pub(super) fn fold(
        &self,
        shared: &[Boxed<f32>],
        weight: &mut [f32],
        bias: &mut [f32],
    ) -> Result<bool, Error> {
        let method = self.method(shared);
        let Some(fold) = method.as_fold() else { return Ok(false) };
        fold.fold(weight, bias).map_err(Error::method(method.info().name))?;
        Ok(true)
    }

    /// Turns what is padded with behind the method into what must be padded with without it.
    pub(super) fn fold_padding(&self, shared: &[Boxed<f32>], pad: &mut [f32]) -> Result<(), Error> {
        let method = self.method(shared);
        let fold = method.as_fold().map_or(Ok(()), |fold| fold.fold_padding(pad));
        fold.map_err(Error::method(method.info().name))
    }

    /// The same method, without what the last pass left.
    pub(super) fn copy(&self) -> Self {
        Self::new(match &self.owner {
            Owner::Own(method) => Owner::Own(method.boxed()),
            Owner::Shared(index) => Owner::Shared(*index),
        })
    }

    pub(super) fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        let Owner::Own(method) = &mut self.owner else { return };
        let values = method.params_mut().into_iter().zip(&mut self.grads);
        for (name, (value, grad)) in ["norm.weight", "norm.bias"].into_iter().zip(values) {
            if !value.is_empty() {
                f(Param { name, value, grad, unit: 0 });
            }
        }
    }

    /// The numbers of methods of one layer, named after them.
    pub(super) fn visit_named<'a>(
        stages: impl Iterator<Item = &'a mut Self>,
        path: &str,
        f: &mut dyn FnMut(Named<'_>),
    ) {
        let mut names: Vec<&'static str> = Vec::new();
        for method in stages.filter_map(Self::own_mut) {
            let name = method.info().name;
            names.push(name);
            let path = match names.iter().filter(|&&known| known == name).count() {
                1 => join(path, name),
                n => join(path, format_args!("{name}-{n}")),
            };
            let mut show = |names: &[&str], values: &mut dyn Iterator<Item = &mut [f32]>, learned| {
                for (name, value) in names.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
                    f(Named { name: &join(&path, name), learned, value });
                }
            };
            show(&["weight", "bias"], &mut method.params_mut().into_iter(), true);
            show(&["state.0", "state.1", "state.2"], &mut method.state_mut().into_iter(), false);
        }
    }

    pub(super) fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        let Owner::Own(method) = &mut self.owner else { return };
        for (name, state) in ["state.0", "state.1", "state.2"].into_iter().zip(method.state_mut()) {
            if !state.is_empty() {
                f(name, state);
            }
        }
    }
}
