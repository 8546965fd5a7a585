//! Memory of numbers where vector instructions read it fastest.

use std::ops::{Deref, DerefMut};

use aligned_vec::{AVec, ConstAlign};
use ndarray::ArrayView1;

/// Bytes of a line of the cache, and of the widest vectors.
const LINE: usize = 64;

/// Values that begin with a line of the cache.
///
/// Kernels take slices from anywhere. But of vectors as long as a line that do not begin with one, each is read in two
/// parts: a product of a row and a matrix in the second-level cache takes 1.6 times as long. So weights and all that flows
/// through a network lie in buffers, and rows that come from outside are best handed over in one.
///
/// ```
/// use norm_std::Buffer;
///
/// let mut x = Buffer::zeros(3);
/// x[1] = 2.0;
/// assert_eq!(x[..], [0.0, 2.0, 0.0]);
/// assert_eq!(x.as_ptr().align_offset(64), 0);
/// ```
#[derive(Debug, Clone)]
pub struct Buffer(AVec<f32, ConstAlign<LINE>>);

impl Buffer {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let mut zeros = Self::default();
        zeros.resize(len);
        zeros
    }

    /// Grows, by zeros, or shrinks, without giving memory back.
    pub fn resize(&mut self, len: usize) {
        self.0.resize(len, 0.0);
    }

    /// Forgets all values, without giving memory back.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Puts values behind those that are there.
    pub fn extend_from_slice(&mut self, values: &[f32]) {
        self.0.extend_from_slice(values);
    }

    /// Puts a row of a matrix behind them.
    pub(crate) fn extend_from_row(&mut self, row: ArrayView1<'_, f32>) {
        match row.to_slice() {
            Some(values) => self.extend_from_slice(values),
            None => self.extend(row.iter().copied()),
        }
    }

    /// The first `len` values, of any content, of which there are then as many: memory to work in, which is never given back.
    pub(crate) fn room(&mut self, len: usize) -> &mut [f32] {
        if self.len() < len {
            self.resize(len);
        }
        &mut self[..len]
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self(AVec::new(LINE))
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl Extend<f32> for Buffer {
    fn extend<I: IntoIterator<Item = f32>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.0.push(value));
    }
}

impl FromIterator<f32> for Buffer {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        Self(AVec::from_iter(LINE, values))
    }
}

impl<'a> IntoIterator for &'a Buffer {
    type Item = &'a f32;
    type IntoIter = std::slice::Iter<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
