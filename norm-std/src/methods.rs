//! The methods of norm-core by name.

use norm_core::{
    Build, Error as CoreError, Fold, Form, Info, Method, Normalize, Observe, Pass, Real, Settle, Site, Spec,
    for_each_method,
};

use crate::kernels::vectorized;

/// A method that owns its memory.
pub type Boxed<T> = Box<dyn Owned<T>>;

/// A method that can be copied and sent to another thread.
pub trait Owned<T: Real>: Method<T> + Send + Sync {
    /// A copy with state of its own.
    fn boxed(&self) -> Boxed<T>;
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
            Ok(Box::new(Vectorized(method)))
        },
    }
}

/// norm-core's own code, compiled for the vector instructions of this machine: the same bits, faster.
#[derive(Clone)]
struct Vectorized<M>(M);

impl<T: Real, M: Method<T> + Clone + Send + Sync + 'static> Owned<T> for Vectorized<M> {
    fn boxed(&self) -> Boxed<T> {
        Box::new(self.clone())
    }
}

impl<T: Real, M: Method<T>> Normalize<T> for Vectorized<M> {
    fn info(&self) -> Info {
        self.0.info()
    }
    fn site(&self) -> Site {
        self.0.site()
    }
    fn width(&self) -> usize {
        self.0.width()
    }
    fn tape_len(&self, rows: usize) -> usize {
        self.0.tape_len(rows)
    }
    fn forward(&self, x: &[T], y: &mut [T], tape: &mut [T]) -> Result<(), CoreError> {
        vectorized(|| self.0.forward(x, y, tape))
    }
    fn backward(&self, pass: Pass<'_, T>, dx: &mut [T], grads: [&mut [T]; 2]) -> Result<(), CoreError> {
        vectorized(|| self.0.backward(pass, dx, grads))
    }
    fn infer(&self, x: &[T], y: &mut [T]) -> Result<(), CoreError> {
        vectorized(|| self.0.infer(x, y))
    }
    fn params(&self) -> [&[T]; 2] {
        self.0.params()
    }
}

impl<T: Real, M: Method<T>> Method<T> for Vectorized<M> {
    fn params_mut(&mut self) -> [&mut [T]; 2] {
        self.0.params_mut()
    }
    fn start(&mut self, weight: &[T]) -> Result<(), CoreError> {
        self.0.start(weight)
    }
    fn state_mut(&mut self) -> [&mut [T]; 3] {
        self.0.state_mut()
    }
    fn as_observe(&mut self) -> Option<&mut dyn Observe<T>> {
        self.0.as_observe()
    }
    fn as_settle(&mut self) -> Option<&mut dyn Settle<T>> {
        self.0.as_settle()
    }
    fn as_fold(&self) -> Option<&dyn Fold<T>> {
        self.0.as_fold()
    }
    fn form(&self) -> Option<Form<'_, T>> {
        self.0.form()
    }
}
