//! Model files of a step or two, put together where they are measured: the sizes are what matters, weights are noise.

use norm_core::model::format::{HEADER, MAGIC, UNCHECKED, VERSION, crc32};

/// A file as it grows.
#[derive(Debug)]
pub struct Assembly<const WORDS: usize> {
    words: [u32; WORDS],
    len: usize,
    step: usize,
    steps: u32,
    kinds: u32,
    seed: u32,
}

impl<const WORDS: usize> Assembly<WORDS> {
    /// An empty one.
    pub fn new() -> Self {
        Self { words: [0; WORDS], len: HEADER, step: HEADER, steps: 0, kinds: 0, seed: 1 }
    }

    fn put(&mut self, word: u32) {
        if let Some(place) = self.words.get_mut(self.len) {
            *place = word;
        }
        self.len += 1;
    }

    /// Begins a step with its fields.
    pub fn step(&mut self, kind: u32, fields: &[u32]) -> &mut Self {
        (self.step, self.steps, self.kinds) = (self.len, self.steps + 1, self.kinds | 1 << kind);
        self.put(kind);
        self.put(0);
        self.fields(fields)
    }

    /// More fields.
    pub fn fields(&mut self, fields: &[u32]) -> &mut Self {
        fields.iter().for_each(|&word| self.put(word));
        self.close()
    }

    /// Floats about `center`, and where they begin.
    pub fn floats(&mut self, n: usize, center: f32, spread: f32) -> &mut Self {
        for _ in 0..n {
            let x = center + spread * (self.noise() >> 8) as f32 * (2.0 / (1 << 24) as f32) - spread;
            self.put(x.to_bits());
        }
        self.close()
    }

    /// Integers from `low`, below `low + range`.
    pub fn integers(&mut self, n: usize, low: i32, range: u32) -> &mut Self {
        for _ in 0..n {
            let x = low.wrapping_add((self.noise() % range.max(1)).cast_signed());
            self.put(x.cast_unsigned());
        }
        self.close()
    }

    /// Bytes, all values.
    pub fn bytes(&mut self, n: usize) -> &mut Self {
        for _ in 0..n.div_ceil(4) {
            let word = self.noise();
            self.put(word);
        }
        self.close()
    }

    fn noise(&mut self) -> u32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.seed ^ self.seed >> 15).wrapping_mul(0x2c1b_3c6d)
    }

    fn close(&mut self) -> &mut Self {
        let len = self.len.wrapping_sub(self.step) as u32;
        if let Some(word) = self.words.get_mut(self.step + 1) {
            *word = len;
        }
        self
    }

    /// The words that there are.
    pub fn words_mut(&mut self) -> &mut [u32] {
        self.words.get_mut(..self.len).unwrap_or_default()
    }

    /// Bits of activation functions that need more than a comparison.
    pub fn activations(&mut self, bits: u32) -> &mut Self {
        self.kinds |= bits;
        self
    }

    /// The file, of so many inputs and outputs, words to work in and words of state.
    pub fn file(&mut self, inputs: usize, outputs: usize, work: usize, state: usize) -> &[u8] {
        let sizes = [4 * self.len, inputs, outputs, work, state].map(|n| n as u32);
        let [bytes, inputs, outputs, work, state] = sizes;
        let head = [MAGIC, VERSION, bytes, 0, self.kinds, self.steps, inputs, outputs, work, state];
        for (word, value) in self.words.iter_mut().zip(head) {
            *word = value;
        }
        let words = self.words.get(UNCHECKED..self.len).unwrap_or(&[]);
        let sum = crc32(bytemuck::cast_slice(words));
        if let Some(word) = self.words.get_mut(3) {
            *word = sum;
        }
        bytemuck::cast_slice(self.words.get(..self.len).unwrap_or(&[]))
    }
}

impl<const WORDS: usize> Default for Assembly<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}
