use norm_core::{Real, Site, Spec, When};

use super::firing::Firing;
use super::stage::{Owner, Stage};
use super::wiring::Params;
use super::{Context, Layer, Named, NeuronsPiece, Param, Piece, Scratch, Wiring, join};
use crate::methods::Boxed;
use crate::random::Random;
use crate::recipe::Recipe;
use crate::{Activation, Buffer, Error, Initialization, Shape};

/// A layer of neurons: connections, methods at every site, and what the neurons fire.
///
/// ```text
///  x ──[input methods]──▶ x̂ ──▶ u = Ŵ x̂ + b ──[drive methods]──▶ z ──[activation]──▶ y
///                                ▲
///               W ──[weight methods]
/// ```
pub struct Neurons {
    wiring: Wiring,
    weight: Buffer,
    bias: Buffer,
    dweight: Buffer,
    dbias: Buffer,
    on_input: Vec<Stage>,
    on_weight: Vec<Stage>,
    on_drive: Vec<Stage>,
    firing: Firing,
    /// Where weights are only multiplied by gains: these, as of the last forward pass.
    gain: Buffer,
    drive: Buffer,
    drive_len: usize,
}

impl Neurons {
    /// Neurons with weights drawn from `random`, and the recipe's methods made for them. `shared` are the network's
    /// methods of network scale, in the order of the recipe.
    pub fn new(
        wiring: impl Into<Wiring>,
        activation: Activation,
        recipe: &Recipe,
        shared: &[Boxed<f32>],
        initialization: Initialization,
        random: &mut Random,
    ) -> Result<Self, Error> {
        let mut layer = Self::plain(wiring, activation);
        initialization.fill(&mut layer.weight, &mut layer.bias, random);
        layer.firing.hidden = true;
        for part in recipe.parts() {
            let named = Error::method(part.info.name);
            let mut method = part.build(layer.wiring.spec())?;
            let site = method.site();
            if site == Site::Weight {
                method.start(&layer.weight).map_err(&named)?;
            }
            let owner = match shared.iter().position(|shared| shared.info() == method.info()) {
                Some(index) => Owner::Shared(index),
                None => Owner::Own(method),
            };
            let stage = Stage::new(owner);
            match site {
                Site::Input => layer.on_input.push(stage),
                Site::Weight => layer.on_weight.push(stage),
                Site::Drive => layer.on_drive.push(stage),
                Site::Activation => layer.firing.method = Some(stage),
            }
        }
        Ok(layer)
    }

    /// The neurons that are read out: no methods, no activation function.
    pub fn readout(wiring: impl Into<Wiring>, initialization: Initialization, random: &mut Random) -> Self {
        let mut layer = Self::plain(wiring, Activation::Identity);
        initialization.fill(&mut layer.weight, &mut layer.bias, random);
        layer
    }

    /// Neurons without methods, all weights and biases 0.
    pub fn plain(wiring: impl Into<Wiring>, activation: Activation) -> Self {
        let wiring = wiring.into();
        let Spec { neurons, inputs, .. } = wiring.spec();
        let weights = neurons * inputs;
        Self {
            wiring,
            weight: Buffer::zeros(weights),
            bias: Buffer::zeros(neurons),
            dweight: Buffer::zeros(weights),
            dbias: Buffer::zeros(neurons),
            on_input: Vec::new(),
            on_weight: Vec::new(),
            on_drive: Vec::new(),
            firing: Firing::new(activation),
            gain: Buffer::default(),
            drive: Buffer::default(),
            drive_len: 0,
        }
    }

    /// `u = Ŵ x̂ + b`, kept, by the training forms of the methods of inputs and weights.
    fn excite(&mut self, cx: &mut Context<'_>, x: &[f32]) -> Result<(), Error> {
        let mut x = x;
        for stage in &mut self.on_input {
            stage.forward(cx, x)?;
            x = stage.y();
        }
        let gain = gains(&self.wiring, &self.on_weight, cx.shared, &mut self.gain);
        let mut weight = &self.weight[..];
        if gain.is_none() {
            for stage in &mut self.on_weight {
                stage.forward(cx, weight)?;
                weight = stage.y();
            }
        }
        let params = Params { weight, gain, bias: &self.bias };
        self.drive_len = self.wiring.rows(x) * self.wiring.output().len();
        let (drive, work) = (self.drive.room(self.drive_len), &mut cx.scratch.work);
        self.wiring.forward(x, params, drive, work);
        Ok(())
    }

    fn fire(&mut self, cx: &Context<'_>, y: &mut [f32]) -> Result<(), Error> {
        let mut z = &self.drive[..self.drive_len];
        let mut stages = self.on_drive.iter_mut();
        while let Some(stage) = stages.next() {
            if stages.len() == 0 && self.firing.is_relu() && stage.rectified(cx, z, y)? {
                return Ok(());
            }
            stage.forward(cx, z)?;
            z = stage.y();
        }
        self.firing.forward(cx, z, y)
    }

    /// What they are made of.
    pub(super) fn to_piece<'a>(&'a self, shared: &'a [Boxed<f32>]) -> NeuronsPiece<'a> {
        let methods = |stages: &'a [Stage]| stages.iter().map(|stage| stage.as_method(shared)).collect();
        NeuronsPiece {
            wiring: &self.wiring,
            weight: &self.weight,
            bias: &self.bias,
            on_input: methods(&self.on_input),
            on_weight: methods(&self.on_weight),
            on_drive: methods(&self.on_drive),
            activation: self.firing.activation,
            firing: self.firing.method.as_ref().map(|stage| stage.as_method(shared)),
        }
    }

    /// For a sum with what other neurons are driven by: the neurons then pass on their drive, and what they would have
    /// fired is for the sum to fire.
    pub(super) fn into_summand(mut self) -> (Self, Firing) {
        let firing = std::mem::replace(&mut self.firing, Firing::new(Activation::Identity));
        (self, firing)
    }

    fn backward_through(
        &mut self,
        cx: &mut Context<'_>,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        let drive = &self.drive[..self.drive_len];
        let mut a = std::mem::take(&mut cx.scratch.a);
        let (mut grad, mut free) = (dy, a.room(self.drive_len));
        let z = input_of(&self.on_drive, self.on_drive.len(), drive);
        self.firing.backward(cx, z, y, grad, free)?;
        for i in (0..self.on_drive.len()).rev() {
            let (before, rest) = self.on_drive.split_at_mut(i);
            let Some(stage) = rest.first_mut() else { continue };
            stage.backward(cx, before.last().map_or(drive, Stage::y), grad, free)?;
            std::mem::swap(&mut grad, &mut free);
        }

        let x_hat = input_of(&self.on_input, self.on_input.len(), x);
        // Gradients travel back through a chain from one buffer to the other, and start where they end in the right one.
        let mut other = std::mem::take(&mut cx.scratch.b);
        // Gains lie between the drive and plain weights.
        let (gain, mapped) = match &self.gain[..] {
            [] => (None, self.on_weight.len()),
            gain => (Some(gain), 0),
        };
        let (mut to, mut from) = (&mut self.dweight[..], other.room(self.weight.len()));
        if mapped % 2 == 1 {
            std::mem::swap(&mut to, &mut from);
        }
        self.wiring.backward_params(x_hat, grad, gain, (&mut *to, &mut self.dbias), &mut cx.scratch.work);
        std::mem::swap(&mut to, &mut from);
        for i in (0..mapped).rev() {
            let (before, rest) = self.on_weight.split_at_mut(i);
            let Some(stage) = rest.first_mut() else { continue };
            stage.backward(cx, before.last().map_or(&self.weight, Stage::y), from, to)?;
            std::mem::swap(&mut to, &mut from);
        }

        if let Some(dx) = dx {
            let weight = input_of(&self.on_weight, mapped, &self.weight);
            let (mut to, mut from) = (dx, other.room(x.len()));
            if self.on_input.len() % 2 == 1 {
                std::mem::swap(&mut to, &mut from);
            }
            self.wiring.backward_input(grad, weight, to, &mut cx.scratch.work);
            std::mem::swap(&mut to, &mut from);
            for i in (0..self.on_input.len()).rev() {
                let (before, rest) = self.on_input.split_at_mut(i);
                let Some(stage) = rest.first_mut() else { continue };
                stage.backward(cx, before.last().map_or(x, Stage::y), from, to)?;
                std::mem::swap(&mut to, &mut from);
            }
        }
        (cx.scratch.a, cx.scratch.b) = (a, other);
        Ok(())
    }

    fn infer_through(
        &self,
        cx: &Context<'_>,
        x: &[f32],
        y: &mut [f32],
        memory: &mut Scratch,
    ) -> Result<(), Error> {
        let Scratch { a, b, drive, gain, weight, weight_b, work, .. } = memory;
        let gain = gains(&self.wiring, &self.on_weight, cx.shared, gain);
        let on_weight = if gain.is_some() { &[] } else { &self.on_weight[..] };
        let weight = chain(on_weight, cx, &self.weight, [weight, weight_b])?;
        let params = Params { weight, gain, bias: &self.bias };
        let x_hat = chain(&self.on_input, cx, x, [a, b])?;
        let drive = drive.room(y.len());
        self.wiring.forward(x_hat, params, drive, work);
        let z = chain(&self.on_drive, cx, drive, [a, b])?;
        self.firing.infer(cx, z, y)
    }

    /// The same neurons for inference, as [`Layer::fold`].
    pub(super) fn folded(&self, shared: &[Boxed<f32>]) -> Result<Self, Error> {
        let (mut weight, mut bias, mut wiring) =
            (self.weight.clone(), self.bias.clone(), self.wiring.clone());
        let mut fold = |stage: &Stage| stage.fold(shared, &mut weight, &mut bias);
        let rest = |stages: &[Stage]| stages.iter().map(Stage::copy).collect::<Vec<_>>();
        let (mut on_input, mut on_weight, mut on_drive) =
            (&self.on_input[..], &self.on_weight[..], &self.on_drive[..]);
        // The order of `norm_core::Fold`: weights, then inputs from the synapses outwards, then the drive. What stands
        // behind a method that cannot be folded stays, too.
        while let [first, others @ ..] = on_weight
            && fold(first)?
        {
            on_weight = others;
        }
        if on_weight.is_empty() {
            while let [others @ .., last] = on_input
                && fold(last)?
            {
                wiring.fold(last, shared)?;
                on_input = others;
            }
            while let [first, others @ ..] = on_drive
                && fold(first)?
            {
                on_drive = others;
            }
        }
        Ok(Self {
            weight,
            bias,
            on_input: rest(on_input),
            on_weight: rest(on_weight),
            on_drive: rest(on_drive),
            firing: self.firing.copy(),
            ..Self::plain(wiring, Activation::Identity)
        })
    }
    fn settle_one(&mut self, i: usize, when: When) -> Result<(), Error> {
        let Some(method) = self.on_weight.get_mut(i).and_then(Stage::own_mut) else { return Ok(()) };
        let name = method.info().name;
        match method.as_settle() {
            Some(settle) if settle.when() == when => {
                settle.settle(&mut self.weight).map_err(Error::method(name))
            }
            _ => Ok(()),
        }
    }
}

/// The factors of all weights of each neuron, where that is all that methods of weights do and there are fewer of them than
/// weights: in a dense layer. `memory` is then theirs, else it is empty.
fn gains<'a>(
    wiring: &Wiring,
    on_weight: &[Stage],
    shared: &[Boxed<f32>],
    memory: &'a mut Buffer,
) -> Option<&'a [f32]> {
    memory.clear();
    let log_gains = match (wiring, on_weight) {
        (Wiring::Dense(_), [only]) => only.log_gains(shared)?,
        _ => return None,
    };
    memory.extend(log_gains.iter().map(|&g| Real::exp(g)));
    Some(memory)
}

/// The inference forms of a chain of methods, one after another; the result lies in the first buffer, or is `first`.
fn chain<'a>(
    stages: &[Stage],
    cx: &Context<'_>,
    first: &'a [f32],
    [a, b]: [&'a mut Buffer; 2],
) -> Result<&'a [f32], Error> {
    let n = first.len();
    for (i, stage) in stages.iter().enumerate() {
        if i == 0 {
            stage.infer(cx, first, a.room(n))?;
        } else {
            stage.infer(cx, &a[..n], b.room(n))?;
            std::mem::swap(a, b);
        }
    }
    Ok(if stages.is_empty() { first } else { &a[..n] })
}

/// The input of stage `i` of a chain that starts with `first`.
fn input_of<'a>(stages: &'a [Stage], i: usize, first: &'a [f32]) -> &'a [f32] {
    i.checked_sub(1).and_then(|before| stages.get(before)).map_or(first, Stage::y)
}

impl Layer for Neurons {
    fn output(&self) -> Shape {
        self.wiring.output()
    }

    fn hidden(&self) -> usize {
        usize::from(self.firing.hidden)
    }

    fn forward(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.excite(cx, x)?;
        self.fire(cx, y)?;
        self.firing.show(cx, self.output(), y);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        self.backward_through(cx, x, y, dy, dx)
    }

    fn infer(&self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        let mut memory = std::mem::take(cx.scratch);
        let done = self.infer_through(cx, x, y, &mut memory);
        *cx.scratch = memory;
        done?;
        self.firing.edit(cx, self.output(), y);
        self.firing.show(cx, self.output(), y);
        Ok(())
    }

    fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        let (unit, dweight, dbias) = (self.wiring.spec().inputs, &mut self.dweight, &mut self.dbias);
        f(Param { name: "weight", value: &mut self.weight, grad: dweight, unit });
        f(Param { name: "bias", value: &mut self.bias, grad: dbias, unit: 0 });
        for stage in self.on_input.iter_mut().chain(&mut self.on_weight).chain(&mut self.on_drive) {
            stage.visit(f);
        }
        self.firing.visit(f);
    }

    fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        for stage in self.on_input.iter_mut().chain(&mut self.on_weight).chain(&mut self.on_drive) {
            stage.visit_state(f);
        }
        self.firing.visit_state(f);
    }

    fn visit_named(&mut self, path: &str, f: &mut dyn FnMut(Named<'_>)) {
        f(Named { name: &join(path, "weight"), learned: true, value: &mut self.weight });
        f(Named { name: &join(path, "bias"), learned: true, value: &mut self.bias });
        let stages = self.on_input.iter_mut().chain(&mut self.on_weight).chain(&mut self.on_drive);
        Stage::visit_named(stages.chain(&mut self.firing.method), path, f);
    }

    fn observe(&mut self, cx: &mut Context<'_>, x: &[f32], y: &[f32], change: f32) -> Result<f32, Error> {
        let mut own_change = 0.0;
        for i in 0..self.on_input.len() {
            let (before, rest) = self.on_input.split_at_mut(i);
            let x = before.last().map_or(x, Stage::y);
            if let Some(stage) = rest.first_mut() {
                own_change += stage.observe(cx, x, None, y)?;
                stage.compensate(change);
            }
        }
        let x = input_of(&self.on_input, self.on_input.len(), x);
        let drive = &self.drive[..self.drive_len];
        for stage in &mut self.on_weight {
            own_change += stage.observe(cx, x, Some(drive), y)?;
            stage.compensate(change);
        }
        for i in 0..self.on_drive.len() {
            let (before, rest) = self.on_drive.split_at_mut(i);
            let x = before.last().map_or(drive, Stage::y);
            if let Some(stage) = rest.first_mut() {
                stage.observe(cx, x, None, y)?;
            }
        }
        self.firing.observe(cx, input_of(&self.on_drive, self.on_drive.len(), drive), y)?;
        // What happens to the drive after the weights stops a common change of gain, or is not known to pass it on.
        let passes = self.on_drive.is_empty() && self.firing.is_homogeneous();
        Ok(if passes { own_change } else { 0.0 })
    }

    fn calibrate(&mut self, cx: &mut Context<'_>, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        // Each method sees what the ones before it, already calibrated, leave it to do.
        for i in 0..self.on_input.len() {
            self.excite(cx, x)?;
            let (before, rest) = self.on_input.split_at_mut(i);
            let x = before.last().map_or(x, Stage::y);
            if let Some(stage) = rest.first_mut() {
                stage.calibrate(x, None, &[])?;
            }
        }
        for i in 0..self.on_weight.len() {
            self.excite(cx, x)?;
            let x = input_of(&self.on_input, self.on_input.len(), x);
            let drive = &self.drive[..self.drive_len];
            self.on_weight[i].calibrate(x, Some(drive), &[])?;
            self.settle_one(i, When::Start)?;
        }
        self.excite(cx, x)?;
        for i in 0..self.on_drive.len() {
            self.fire(cx, y)?;
            let (before, rest) = self.on_drive.split_at_mut(i);
            let z = before.last().map_or(&self.drive[..self.drive_len], Stage::y);
            if let Some(stage) = rest.first_mut() {
                stage.calibrate(z, None, y)?;
            }
        }
        self.fire(cx, y)?;
        self.firing
            .calibrate(input_of(&self.on_drive, self.on_drive.len(), &self.drive[..self.drive_len]), y)?;
        for stage in &mut self.on_weight {
            let Some(method) = stage.own_mut() else { continue };
            let name = method.info().name;
            method.start(&self.weight).map_err(Error::method(name))?;
            if let Some(settle) = method.as_settle() {
                settle.begin(&self.weight).map_err(Error::method(name))?;
            }
        }
        self.excite(cx, x)?;
        self.fire(cx, y)
    }

    fn settle(&mut self, when: When) -> Result<(), Error> {
        (0..self.on_weight.len()).try_for_each(|i| self.settle_one(i, when))
    }

    fn piece<'a>(&'a self, shared: &'a [Boxed<f32>]) -> Piece<'a> {
        Piece::Neurons(self.to_piece(shared))
    }

    fn fold(&self, shared: &[Boxed<f32>]) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(self.folded(shared)?))
    }
}
