//! A network: layers in a row, and the memory that flows between them.

use norm_core::{Seen, When};

use crate::layers::{Activity, Context, Layer, Param, Scratch};
use crate::methods::Boxed;
use crate::{Error, Shape};

/// Layers one after another. Buffers grow to the largest batch seen and are then reused.
pub struct Network {
    input: Shape,
    layers: Vec<Box<dyn Layer>>,
    shared: Vec<Boxed<f32>>,
    outputs: Vec<Vec<f32>>,
    grads: [Vec<f32>; 2],
    scratch: Scratch,
    activity: Vec<f32>,
    rows: usize,
}

impl Network {
    /// Layers in order, the first taking rows of `input`, and the methods that they share.
    pub fn new(input: Shape, layers: Vec<Box<dyn Layer>>, shared: Vec<Boxed<f32>>) -> Result<Self, Error> {
        if layers.is_empty() {
            return Err(Error::Empty { what: "the network" });
        }
        let outputs = layers.iter().map(|_| Vec::new()).collect();
        Ok(Self {
            input,
            layers,
            shared,
            outputs,
            grads: Default::default(),
            scratch: Scratch::default(),
            activity: Vec::new(),
            rows: 0,
        })
    }

    /// The shape of one input.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// Values of one output row: the classes.
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.output().len())
    }

    /// Layers of hidden neurons: those that a probe is told of.
    pub fn hidden(&self) -> usize {
        self.layers.iter().map(|layer| layer.hidden()).sum()
    }

    /// Learned parameters.
    pub fn parameters(&mut self) -> usize {
        let mut count = 0;
        self.visit(&mut |param| count += param.value.len());
        count
    }

    fn rows_of(&self, what: &'static str, x: &[f32]) -> Result<usize, Error> {
        let width = self.input.len();
        if x.is_empty() {
            return Err(Error::Empty { what });
        }
        match x.len() % width.max(1) {
            0 => Ok(x.len() / width.max(1)),
            _ => Err(Error::Width { what, expected: width, got: x.len() }),
        }
    }

    /// Runs `each` on every layer in order, with its input and its output.
    fn through(
        &mut self,
        x: &[f32],
        each: impl Fn(&mut dyn Layer, &mut Context<'_>, &[f32], &mut [f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.rows = self.rows_of("the batch", x)?;
        let mut cx = Context { shared: &self.shared, scratch: &mut self.scratch, probe: None };
        for i in 0..self.layers.len() {
            let (before, rest) = self.outputs.split_at_mut(i);
            let len = self.rows * self.layers[i].output().len();
            let x = before.last().map_or(x, |y| &y[..self.rows * self.layers[i - 1].output().len()]);
            if rest[0].len() < len {
                rest[0].resize(len, 0.0);
            }
            each(&mut *self.layers[i], &mut cx, x, &mut rest[0][..len])?;
        }
        Ok(())
    }

    fn kept(&self, i: usize) -> &[f32] {
        &self.outputs[i][..self.rows * self.layers[i].output().len()]
    }

    /// The training form; returns the outputs (logits), `rows × classes`.
    pub fn forward(&mut self, x: &[f32]) -> Result<&[f32], Error> {
        self.through(x, |layer, cx, x, y| layer.forward(cx, x, y))?;
        Ok(self.kept(self.layers.len() - 1))
    }

    /// Sets the slow state of every layer, in order of depth, from rows seen before training.
    pub fn calibrate(&mut self, x: &[f32]) -> Result<(), Error> {
        self.through(x, |layer, cx, x, y| layer.calibrate(cx, x, y))?;
        self.follow_activity(x, |observe, seen| observe.calibrate(seen))
    }

    /// Gradients of all parameters, from that of the loss by the outputs of the last [`forward`](Self::forward)
    /// on the same rows.
    pub fn backward(&mut self, x: &[f32], dlogits: &[f32]) -> Result<(), Error> {
        let widest = self.layers.iter().map(|layer| layer.output().len()).max().unwrap_or(0) * self.rows;
        for buffer in &mut self.grads {
            if buffer.len() < widest {
                buffer.resize(widest, 0.0);
            }
        }
        let [dy, dx] = &mut self.grads;
        let (mut dy, mut dx) = (&mut dy[..], &mut dx[..]);
        dy[..dlogits.len()].copy_from_slice(dlogits);
        let mut cx = Context { shared: &self.shared, scratch: &mut self.scratch, probe: None };
        for i in (0..self.layers.len()).rev() {
            let len = self.rows * self.layers[i].output().len();
            let y = &self.outputs[i][..len];
            match i.checked_sub(1) {
                None => self.layers[i].backward(&mut cx, x, y, &mut dy[..len], None)?,
                Some(before) => {
                    let len_x = self.rows * self.layers[before].output().len();
                    let x = &self.outputs[before][..len_x];
                    self.layers[i].backward(&mut cx, x, y, &mut dy[..len], Some(&mut dx[..len_x]))?;
                }
            }
            std::mem::swap(&mut dy, &mut dx);
        }
        Ok(())
    }

    /// Lets all slow state follow the last [`forward`](Self::forward) on the same rows.
    pub fn observe(&mut self, x: &[f32]) -> Result<(), Error> {
        let mut change = 0.0;
        let mut cx = Context { shared: &self.shared, scratch: &mut self.scratch, probe: None };
        for i in 0..self.layers.len() {
            let rows = self.rows;
            let len = |layer: &dyn Layer| rows * layer.output().len();
            let x = i.checked_sub(1).map_or(x, |i| &self.outputs[i][..len(&*self.layers[i])]);
            let y = &self.outputs[i][..len(&*self.layers[i])];
            change = self.layers[i].observe(&mut cx, x, y, change)?;
        }
        self.follow_activity(x, |observe, seen| observe.observe(seen).map(|_| ()))
    }

    /// Lets the shared methods see the activity of all hidden neurons of the last forward pass.
    fn follow_activity(
        &mut self,
        x: &[f32],
        f: impl Fn(&mut dyn norm_core::Observe<f32>, Seen<'_, f32>) -> Result<(), norm_core::Error>,
    ) -> Result<(), Error> {
        if self.shared.is_empty() {
            return Ok(());
        }
        let hidden = self.layers.len() - 1;
        self.activity.clear();
        for i in 0..hidden {
            let len = self.rows * self.layers[i].output().len();
            self.activity.extend_from_slice(&self.outputs[i][..len]);
        }
        for method in &mut self.shared {
            let name = method.info().name;
            if let Some(observe) = method.as_observe() {
                let seen = Seen { x, y: &self.activity, activity: &self.activity };
                f(observe, seen).map_err(Error::method(name))?;
            }
        }
        Ok(())
    }

    /// Lets methods that act on weights do so.
    pub fn settle(&mut self, when: When) -> Result<(), Error> {
        self.layers.iter_mut().try_for_each(|layer| layer.settle(when))
    }

    /// The inference form, into `y`, `rows × classes`; `probe` is told the activity of every hidden layer, in order.
    pub fn infer_with(
        &mut self,
        x: &[f32],
        y: &mut [f32],
        probe: Option<&mut dyn FnMut(Activity<'_>)>,
    ) -> Result<(), Error> {
        let rows = self.rows_of("the input", x)?;
        let expected = rows * self.classes();
        if y.len() != expected {
            return Err(Error::Width { what: "the output", expected, got: y.len() });
        }
        let [a, b] = &mut self.grads;
        // Not `probe` as it is: the closure it borrows lives longer than the borrow of the network.
        let probe = probe.map(|probe| probe as &mut dyn FnMut(Activity<'_>));
        let mut cx = Context { shared: &self.shared, scratch: &mut self.scratch, probe };
        let mut x = x;
        let (mut to, mut from) = (a, b);
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            if i == last {
                return layer.infer(&mut cx, x, y);
            }
            let len = rows * layer.output().len();
            if to.len() < len {
                to.resize(len, 0.0);
            }
            layer.infer(&mut cx, x, &mut to[..len])?;
            std::mem::swap(&mut to, &mut from);
            x = &from[..len];
        }
        Ok(())
    }

    /// The inference form.
    pub fn infer(&mut self, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.infer_with(x, y, None)
    }

    /// Shows every learned parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        self.layers.iter_mut().for_each(|layer| layer.visit(f));
    }

    /// Shows every slow state, in a fixed order.
    pub fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        self.layers.iter_mut().for_each(|layer| layer.visit_state(f));
        for method in &mut self.shared {
            method
                .state_mut()
                .into_iter()
                .filter(|state| !state.is_empty())
                .for_each(|state| f("shared", state));
        }
    }

    /// The same network for inference: every method that can be is folded into plain weights and biases.
    pub fn fold(&self) -> Result<Self, Error> {
        let layers = self.layers.iter().map(|layer| layer.fold(&self.shared)).collect::<Result<_, _>>()?;
        Self::new(self.input, layers, self.shared.iter().map(|method| method.boxed()).collect())
    }
}
