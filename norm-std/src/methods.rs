//! The methods of norm-core by name.

use norm_core::{
    Build, Error as CoreError, Fold, Form, Info, Method, Normalize, Observe, Pass, Real, Seen, Settle, Site,
    Spec, for_each_method,
};

use crate::kernels::norms::Kernels;
use crate::threads::Threads;

/// A method that owns its memory.
pub type Boxed<T> = Box<dyn Owned<T>>;

/// A method that can be copied and sent to another thread.
pub trait Owned<T: Real>: Method<T> + Send + Sync {
    /// A copy with state of its own.
    fn boxed(&self) -> Boxed<T>;

    /// [`forward`](Normalize::forward) by several threads: the same bits.
    fn forward_by(&self, threads: &Threads, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), CoreError>;

    /// [`forward`](Normalize::forward) and then ReLU, by several threads and in one pass: the same bits. `None` if there is no such
    /// pass; then nothing is done.
    fn rectified_by(
        &self,
        threads: &Threads,
        x: &[T],
        y: &mut [T],
        tape: &mut [T],
    ) -> Option<Result<(), CoreError>>;

    /// [`backward`](Normalize::backward) by several threads: the same bits.
    fn backward_by(
        &self,
        threads: &Threads,
        pass: Pass<'_, T>,
        dx: &mut [T],
        grads: [&mut [T]; 2],
    ) -> Result<(), CoreError>;

    /// [`infer`](Normalize::infer) by several threads: the same bits.
    fn infer_by(&self, threads: &Threads, x: &[T], y: &mut [T]) -> Result<(), CoreError>;

    /// [`observe_kept`](Observe::observe_kept) by several threads: the same bits. Nothing where there is no slow state.
    fn observe_by(&mut self, threads: &Threads, seen: Seen<'_, T>, tape: &[T]) -> Result<T, CoreError>;
}

/// A method as it stands in the list.
#[derive(Debug, Clone, Copy)]
pub struct Entry<T> {
    /// What it is.
    pub info: Info,
    /// The options it takes.
    pub options: &'static [&'static str],
    build: fn(Spec<'_>) -> Result<Boxed<T>, CoreError>,
}

impl<T: Real> Entry<T> {
    /// Makes it for a layer.
    pub fn build(&self, spec: Spec<'_>) -> Result<Boxed<T>, CoreError> {
        (self.build)(spec)
    }
}

/// All methods of norm-core, in the order of tables.
pub fn entries<T: Real>() -> Vec<Entry<T>> {
    macro_rules! list {
        ($($name:ident: $method:ty),* $(,)?) => { vec![$(entry::<T, $method>()),*] };
    }
    for_each_method!(list, T, Vec<T>)
}

/// The method of that name.
pub fn find<T: Real>(name: &str) -> Option<Entry<T>> {
    entries().into_iter().find(|entry| entry.info.name == name)
}

fn entry<T: Real, M: Build<T, Vec<T>> + Method<T> + Clone + Send + Sync + 'static>() -> Entry<T> {
    Entry {
        info: M::INFO,
        options: M::OPTIONS,
        build: |spec| {
            let method = M::build(spec, &mut |n, value| Ok(vec![value; n]))?;
            Ok(Box::new(Owner { method, kernels: Kernels::of() }))
        },
    }
}

/// A method and what it computes with.
struct Owner<T: 'static, M: 'static> {
    method: M,
    kernels: Kernels<T, M>,
}

impl<T: Real, M: Method<T> + Clone + Send + Sync + 'static> Owned<T> for Owner<T, M> {
    fn boxed(&self) -> Boxed<T> {
        Box::new(Self { method: self.method.clone(), kernels: self.kernels })
    }
    fn forward_by(&self, threads: &Threads, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), CoreError> {
        (self.kernels.forward)(&self.method, threads, x, y, tape)
    }
    fn rectified_by(
        &self,
        threads: &Threads,
        x: &[T],
        y: &mut [T],
        tape: &mut [T],
    ) -> Option<Result<(), CoreError>> {
        self.kernels.rectified.map(|forward| forward(&self.method, threads, x, y, tape))
    }
    fn backward_by(
        &self,
        threads: &Threads,
        pass: Pass<'_, T>,
        dx: &mut [T],
        grads: [&mut [T]; 2],
    ) -> Result<(), CoreError> {
        (self.kernels.backward)(&self.method, threads, pass, dx, grads)
    }
    fn infer_by(&self, threads: &Threads, x: &[T], y: &mut [T]) -> Result<(), CoreError> {
        (self.kernels.infer)(&self.method, threads, x, y)
    }
    fn observe_by(&mut self, threads: &Threads, seen: Seen<'_, T>, tape: &[T]) -> Result<T, CoreError> {
        (self.kernels.observe)(&mut self.method, threads, seen, tape)
    }
}

impl<T: Real, M: Method<T>> Normalize<T> for Owner<T, M> {
    fn info(&self) -> Info {
        self.method.info()
    }
    fn site(&self) -> Site {
        self.method.site()
    }
    fn width(&self) -> usize {
        self.method.width()
    }
    fn tape_len(&self, rows: usize) -> usize {
        self.method.tape_len(rows)
    }
    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), CoreError> {
        (self.kernels.forward)(&self.method, &Threads::default(), x, y, tape)
    }
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], grads: [&mut [T]; 2]) -> Result<(), CoreError> {
        (self.kernels.backward)(&self.method, &Threads::default(), pass, dx, grads)
    }
    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), CoreError> {
        (self.kernels.infer)(&self.method, &Threads::default(), x, y)
    }
    fn params(&self) -> [&[T]; 2] {
        self.method.params()
    }
}

impl<T: Real, M: Method<T>> Observe<T> for Owner<T, M> {
    fn observe(&mut self, seen: Seen<'_, T>) -> Result<T, CoreError> {
        self.observe_kept(seen, &[])
    }
    fn observe_kept(&mut self, seen: Seen<'_, T>, tape: &[T]) -> Result<T, CoreError> {
        (self.kernels.observe)(&mut self.method, &Threads::default(), seen, tape)
    }
    fn calibrate(&mut self, seen: Seen<'_, T>) -> Result<(), CoreError> {
        self.method.as_observe().map_or(Ok(()), |observe| observe.calibrate(seen))
    }
    fn compensate(&mut self, log_gain: T) {
        if let Some(observe) = self.method.as_observe() {
            observe.compensate(log_gain);
        }
    }
}

impl<T: Real, M: Method<T>> Method<T> for Owner<T, M> {
    fn params_mut(&mut self) -> [&mut [T]; 2] {
        self.method.params_mut()
    }
    fn start(&mut self, weight: &[T]) -> Result<(), CoreError> {
        self.method.start(weight)
    }
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        self.method.state_mut()
    }
    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        match self.method.as_observe() {
            Some(_) => Some(self),
            None => None,
        }
    }
    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        self.method.as_settle()
    }
    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        self.method.as_fold()
    }
    fn form(&self) -> Option<Form<'_, T>> {
        self.method.form()
    }
}
