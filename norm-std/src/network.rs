//! A network: a chain of layers, and what they share.

use norm_core::{Seen, When};

use crate::layers::{Activity, Chain, Context, Layer, Named, Param, Piece, Scratch, join};
use crate::methods::Boxed;
use crate::threads::Threads;
use crate::{Buffer, Error, Shape};

/// Steps by which methods that all layers share are calibrated.
const SHARED_CALIBRATIONS: usize = 20;

/// Numbers by name, as [`Network::visit_named`] shows them.
pub type Tensors = std::collections::BTreeMap<String, Vec<f32>>;

/// Layers one after another. Buffers grow to the largest batch seen and are then reused.
pub struct Network {
    input: Shape,
    chain: Chain,
    shared: Vec<Boxed<f32>>,
    logits: Buffer,
    dlogits: Buffer,
    scratch: Scratch,
    activity: Buffer,
    outputs: usize,
    step: u64,
}

impl Network {
    /// Layers in order, the first taking rows of `input`, and the methods that they share.
    pub fn new(input: Shape, layers: Vec<Box<dyn Layer>>, shared: Vec<Boxed<f32>>) -> Result<Self, Error> {
        Ok(Self::of(input, Chain::new(layers)?, shared))
    }

    fn of(input: Shape, chain: Chain, shared: Vec<Boxed<f32>>) -> Self {
        Self {
            input,
            chain,
            shared,
            logits: Buffer::default(),
            dlogits: Buffer::default(),
            scratch: Scratch::default(),
            activity: Buffer::default(),
            outputs: 0,
            step: 0,
        }
    }

    /// The shape of one input.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// Values of one output row: the classes.
    pub fn classes(&self) -> usize {
        self.chain.output().len()
    }

    /// Layers of hidden neurons: those that a probe is told of.
    pub fn hidden(&self) -> usize {
        self.chain.hidden()
    }

    /// Learned parameters.
    pub fn parameters(&mut self) -> usize {
        let mut count = 0;
        self.visit(&mut |param| count += param.value.len());
        count
    }

    /// The number of the step of training that the next calls of [`forward`](Self::forward) belong to: what is random in
    /// layers, such as dropout, is drawn anew for each.
    pub fn set_step(&mut self, step: u64) {
        self.step = step;
    }

    /// Lets these threads do the work of the next calls. Results have the same bits for any number of threads.
    pub fn set_threads(&mut self, threads: Threads) {
        self.scratch = Scratch::new(threads);
    }

    /// The threads that do the work, the caller's alone unless others were set.
    pub fn threads(&self) -> Threads {
        self.scratch.threads().clone()
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

    /// Passes the batch through the chain, and keeps the hidden activity if there are methods that all layers share.
    fn pass(
        &mut self,
        x: &[f32],
        f: impl FnOnce(&mut Chain, &mut Context<'_>, &mut [f32]) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        self.outputs = self.rows_of("the batch", x)? * self.classes();
        self.activity.clear();
        self.threads().enter(|| {
            let mut gather = |seen: Activity<'_>| self.activity.extend_from_slice(seen.rows);
            let mut cx = Context::new(&self.shared, &mut self.scratch, self.step);
            if !self.shared.is_empty() {
                cx.probe = Some(&mut gather);
            }
            f(&mut self.chain, &mut cx, self.logits.room(self.outputs))
        })
    }

    /// The training form; returns the outputs (logits), `rows × classes`.
    pub fn forward(&mut self, x: &[f32]) -> Result<&[f32], Error> {
        self.pass(x, |chain, cx, y| chain.forward(cx, x, y))?;
        Ok(&self.logits[..self.outputs])
    }

    /// Sets the slow state of every layer, in order of depth, from rows seen before training.
    pub fn calibrate(&mut self, x: &[f32]) -> Result<(), Error> {
        self.pass(x, |chain, cx, y| chain.calibrate(cx, x, y))?;
        if !self.shared.is_empty() {
            // What all layers share acts on each of them: the response is not that of one layer, and is approached.
            for _ in 0..SHARED_CALIBRATIONS {
                self.forward(x)?;
                self.follow_activity(x, |observe, seen| observe.calibrate(seen))?;
            }
        }
        Ok(())
    }

    /// Gradients of all parameters, from that of the loss by the outputs of the last [`forward`](Self::forward)
    /// on the same rows.
    pub fn backward(&mut self, x: &[f32], dlogits: &[f32]) -> Result<(), Error> {
        if dlogits.len() != self.outputs {
            let (what, expected, got) = ("the gradient of the outputs", self.outputs, dlogits.len());
            return Err(Error::Width { what, expected, got });
        }
        // Layers may overwrite the gradients that they are given.
        self.dlogits.clear();
        self.dlogits.extend_from_slice(dlogits);
        self.threads().enter(|| {
            let mut cx = Context::new(&self.shared, &mut self.scratch, self.step);
            self.chain.backward(&mut cx, x, &self.logits[..self.outputs], &mut self.dlogits, None)
        })
    }

    /// Lets all slow state follow the last [`forward`](Self::forward) on the same rows.
    pub fn observe(&mut self, x: &[f32]) -> Result<(), Error> {
        self.threads().enter(|| {
            let mut cx = Context::new(&self.shared, &mut self.scratch, self.step);
            self.chain.observe(&mut cx, x, &self.logits[..self.outputs], 0.0)
        })?;
        self.follow_activity(x, |observe, seen| observe.observe(seen).map(|_| ()))
    }

    /// Lets the shared methods see the activity of all hidden neurons of the last pass.
    fn follow_activity(
        &mut self,
        x: &[f32],
        f: impl Fn(&mut dyn norm_core::Observe<f32>, Seen<'_, f32>) -> Result<(), norm_core::Error>,
    ) -> Result<(), Error> {
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
        self.chain.settle(when)
    }

    /// The inference form, into `y`, `rows × classes`; `probe` is told the activity of every hidden layer, in order.
    pub fn infer_with(
        &mut self,
        x: &[f32],
        y: &mut [f32],
        probe: Option<&mut dyn FnMut(Activity<'_>)>,
    ) -> Result<(), Error> {
        let expected = self.rows_of("the input", x)? * self.classes();
        if y.len() != expected {
            return Err(Error::Width { what: "the output", expected, got: y.len() });
        }
        let mut cx = Context::new(&self.shared, &mut self.scratch, self.step);
        // Not `probe` as it is: the closure it borrows lives longer than the borrow of the network.
        cx.probe = probe.map(|probe| probe as &mut dyn FnMut(Activity<'_>));
        self.chain.infer(&mut cx, x, y)
    }

    /// The inference form, in which `edit` may change what each hidden layer fires, in order of depth.
    pub fn infer_edited(
        &mut self,
        x: &[f32],
        y: &mut [f32],
        edit: &mut dyn FnMut(Shape, &mut [f32]),
    ) -> Result<(), Error> {
        let expected = self.rows_of("the input", x)? * self.classes();
        if y.len() != expected {
            return Err(Error::Width { what: "the output", expected, got: y.len() });
        }
        let mut cx = Context::new(&self.shared, &mut self.scratch, self.step);
        cx.edit = Some(edit);
        self.chain.infer(&mut cx, x, y)
    }

    /// The inference form.
    pub fn infer(&mut self, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        self.threads().enter(|| self.infer_with(x, y, None))
    }

    /// Shows every learned parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(Param<'_>)) {
        self.chain.visit(f);
    }

    /// Shows every slow state, in a fixed order.
    pub fn visit_state(&mut self, f: &mut dyn FnMut(&'static str, &mut [f32])) {
        self.chain.visit_state(f);
        for method in &mut self.shared {
            method
                .state_mut()
                .into_iter()
                .filter(|state| !state.is_empty())
                .for_each(|state| f("shared", state));
        }
    }

    /// Shows every learned parameter and every slow state with its name, in a fixed order; parameters in that of
    /// [`visit`](Self::visit).
    pub fn visit_named(&mut self, f: &mut dyn FnMut(Named<'_>)) {
        self.chain.visit_named("", f);
        for method in &mut self.shared {
            let path = join("shared", method.info().name);
            for (i, value) in method.state_mut().into_iter().enumerate().filter(|(_, s)| !s.is_empty()) {
                f(Named { name: &join(&path, format_args!("state.{i}")), learned: false, value });
            }
        }
    }

    /// A copy of all numbers: learned parameters and slow state.
    pub fn tensors(&mut self) -> Tensors {
        let mut tensors = Tensors::new();
        self.visit_named(&mut |named| {
            tensors.insert(named.name.to_owned(), named.value.to_vec());
        });
        tensors
    }

    /// Takes all numbers from a copy.
    ///
    /// # Errors
    ///
    /// A name is missing or unknown, or has another number of values: nothing is to be done with the network then.
    pub fn set_tensors(&mut self, tensors: &Tensors) -> Result<(), Error> {
        let mut problem = None;
        let mut known = 0;
        self.visit_named(&mut |named| match tensors.get(named.name) {
            Some(from) if from.len() == named.value.len() => {
                named.value.copy_from_slice(from);
                known += 1;
            }
            Some(from) => {
                let (name, needed, got) = (named.name, named.value.len(), from.len());
                problem = Some(format!("{name} has {got} values, but the network needs {needed}"));
            }
            None => problem = Some(format!("{} is missing", named.name)),
        });
        if problem.is_none() && known < tensors.len() {
            problem = Some(format!("there are {} tensors, but the network has {known}", tensors.len()));
        }
        problem.map_or(Ok(()), |problem| Err(Error::Tensors(problem)))
    }

    /// What each layer is, in order.
    pub fn pieces(&self) -> Vec<Piece<'_>> {
        self.chain.pieces(&self.shared)
    }

    /// The same network for inference: every method that can be is folded into plain weights and biases.
    pub fn fold(&self) -> Result<Self, Error> {
        let shared = self.shared.iter().map(|method| method.boxed()).collect();
        Ok(Self::of(self.input, self.chain.folded(&self.shared)?, shared))
    }
}
