//! Memory of numbers where vector instructions read it fastest.

use std::fmt;
use std::ops::{Deref, DerefMut};

use aligned_vec::{AVec, ConstAlign};
use memmap2::MmapMut;
use ndarray::ArrayView1;

/// Bytes of a line of the cache, and of the widest vectors.
const LINE: usize = 64;
/// Bytes of a huge page.
const PAGE: usize = 1 << 21;

/// Values that begin with a line of the cache, and lie in huge pages where there are enough of them and the system has such.
///
/// Kernels take slices from anywhere. But of vectors as long as a line that do not begin with one, each is read in two
/// parts: a product of a row and a matrix in the second-level cache takes 1.6 times as long. And of much memory in small
/// pages the processor has to look up where each lies. So weights and all that flows through a network lie in buffers,
/// and rows that come from outside are best handed over in one.
///
/// ```
/// use norm_std::Buffer;
///
/// let mut x = Buffer::zeros(3);
/// x[1] = 2.0;
/// assert_eq!(x[..], [0.0, 2.0, 0.0]);
/// assert_eq!(x.as_ptr().align_offset(64), 0);
/// ```
#[derive(Default)]
pub struct Buffer {
    memory: Memory,
    len: usize,
}

/// As much as there is room for.
enum Memory {
    Lines(AVec<f32, ConstAlign<LINE>>),
    Pages(MmapMut),
}

impl Memory {
    fn zeros(len: usize) -> Self {
        Self::pages(size_of::<f32>() * len).unwrap_or_else(|| {
            let mut lines = AVec::with_capacity(LINE, len);
            lines.resize(len, 0.0);
            Self::Lines(lines)
        })
    }

    #[cfg(target_os = "linux")]
    fn pages(bytes: usize) -> Option<Self> {
        if bytes < PAGE {
            return None;
        }
        let pages = MmapMut::map_anon(bytes.next_multiple_of(PAGE)).ok()?;
        // A system without huge pages has its usual ones.
        let _ = pages.advise(memmap2::Advice::HugePage);
        Some(Self::Pages(pages))
    }

    #[cfg(not(target_os = "linux"))]
    fn pages(_: usize) -> Option<Self> {
        None
    }

    fn values(&self) -> &[f32] {
        match self {
            Memory::Lines(lines) => lines,
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }

    fn values_mut(&mut self) -> &mut [f32] {
        match self {
            Memory::Lines(lines) => lines,
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::Lines(AVec::new(LINE))
    }
}

impl Buffer {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        Self { memory: Memory::zeros(len), len }
    }

    /// Grows, by zeros, or shrinks, without giving memory back.
    pub fn resize(&mut self, len: usize) {
        let old = self.len;
        self.reserve(len);
        self.len = len;
        if let Some(new) = self.get_mut(old..) {
            new.fill(0.0);
        }
    }

    /// Forgets all values, without giving memory back.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Puts values behind those that are there.
    pub fn extend_from_slice(&mut self, values: &[f32]) {
        let (old, len) = (self.len, self.len + values.len());
        if len > self.memory.values().len() {
            self.reserve(len.max(2 * old));
        }
        self.len = len;
        self[old..].copy_from_slice(values);
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
        if self.len < len {
            self.resize(len);
        }
        &mut self[..len]
    }

    /// Memory for so many.
    fn reserve(&mut self, len: usize) {
        if len > self.memory.values().len() {
            let mut memory = Memory::zeros(len);
            memory.values_mut()[..self.len].copy_from_slice(self);
            self.memory = memory;
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory.values()[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory.values_mut()[..self.len]
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(&self[..])
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut copy = Self::zeros(values.len());
        copy.copy_from_slice(values);
        copy
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Extend<f32> for Buffer {
    fn extend<I: IntoIterator<Item = f32>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.extend_from_slice(&[value]));
    }
}

impl FromIterator<f32> for Buffer {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        let mut buffer = Self::default();
        buffer.extend(values);
        buffer
    }
}

impl<'a> IntoIterator for &'a Buffer {
    type Item = &'a f32;
    type IntoIter = std::slice::Iter<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_when_memory_grows_from_lines_to_pages() {
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        for part in 0..6u16 {
            let values = vec![f32::from(part) + 0.5; 10usize.pow(part.into())];
            buffer.extend_from_slice(&values);
            expected.extend_from_slice(&values);
            assert!(buffer[..] == expected[..] && buffer.clone()[..] == expected[..]);
            assert_eq!(buffer.as_ptr().align_offset(LINE), 0);
        }
        buffer.resize(1_000_000);
        assert!(
            buffer[..expected.len()] == expected[..] && buffer[expected.len()..].iter().all(|&x| x == 0.0)
        );
        assert!(cfg!(not(target_os = "linux")) || matches!(buffer.memory, Memory::Pages(_)));
        // What was once there does not come back.
        buffer.resize(3);
        buffer.resize(10);
        assert_eq!(buffer[..], [&expected[..3], &[0.0; 7]].concat());
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.extend((0..5u8).map(f32::from));
        assert_eq!(buffer[..], [0.0, 1.0, 2.0, 3.0, 4.0]);
    }
}
