//! Colour images, flipped and shifted.

use super::Error;
use crate::Shape;
use crate::random::Random;

/// Flips an image left to right with probability 1/2 and crops it at a random place of itself padded on all sides: the usual
/// augmentation of CIFAR-10 (He et al. 2015, section 4.2: padding 4).
///
/// What is done to a row depends on `(seed, epoch, row)` only, so it is the same for any batch size and any number of threads.
/// The padding is 0: the mean, if the images are standardized.
///
/// # Example
/// ```
/// use norm_std::{Shape, data::Augment};
/// let shape = Shape { channels: 3, height: 4, width: 4 };
/// let image: Vec<f32> = (0..48).map(|i| i as f32).collect();
/// let mut out = vec![0.0; 48];
/// Augment::default().apply(shape, &image, &mut out, 0, 3, 17)?;
/// # Ok::<(), norm_std::data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Augment {
    /// Flip half of the images?
    pub flip: bool,
    /// Rows and columns of zeros on each side before cropping.
    pub pad: usize,
}

impl Default for Augment {
    fn default() -> Self {
        Self { flip: true, pad: 4 }
    }
}

impl Augment {
    /// Writes what the network shall see of `image` in this epoch.
    ///
    /// # Errors
    /// If a length is not the shape's.
    pub fn apply(
        &self,
        shape: Shape,
        image: &[f32],
        out: &mut [f32],
        seed: u64,
        epoch: u64,
        row: u64,
    ) -> Result<(), Error> {
        for (name, len) in [("image.len()", image.len()), ("out.len()", out.len())] {
            if len != shape.len() {
                return Err(Error::option(name, len, shape.len().to_string()));
            }
        }
        let mut random = Random::new(seed, "augment", epoch, row);
        // Drawn whether used or not, so that one choice does not change another.
        let flip = random.below(2) == 1 && self.flip;
        let places = 2 * self.pad + 1;
        let [down, right] =
            [random.below(places), random.below(places)].map(|at| at as isize - self.pad as isize);
        let planes =
            image.chunks_exact(shape.positions().max(1)).zip(out.chunks_exact_mut(shape.positions().max(1)));
        for (plane, out) in planes {
            for (i, out) in out.chunks_exact_mut(shape.width.max(1)).enumerate() {
                let from =
                    i.checked_add_signed(down).and_then(|i| plane.chunks_exact(shape.width.max(1)).nth(i));
                shift(from, out, right, flip);
            }
        }
        Ok(())
    }
}

/// One line of pixels: `out[j] = line[j + right]`, mirrored first if `flip`, 0 outside.
fn shift(line: Option<&[f32]>, out: &mut [f32], right: isize, flip: bool) {
    let width = out.len();
    for (j, out) in out.iter_mut().enumerate() {
        let at = j.checked_add_signed(right).filter(|&at| at < width);
        let at = at.map(|at| if flip { width - 1 - at } else { at });
        *out = line.zip(at).and_then(|(line, at)| line.get(at)).copied().unwrap_or(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const SHAPE: Shape = Shape { channels: 2, height: 3, width: 4 };

    fn apply(augment: Augment, seed: u64, epoch: u64, row: u64) -> Vec<f32> {
        let image: Vec<f32> = (1..=24u8).map(f32::from).collect();
        let mut out = vec![f32::NAN; 24];
        augment.apply(SHAPE, &image, &mut out, seed, epoch, row).unwrap();
        out
    }

    #[test]
    fn every_flip_and_place_occurs_equally_often_and_nothing_else() {
        let padded = |c: usize, i: isize, j: isize| match (0..3).contains(&i) && (0..4).contains(&j) {
            true => (c * 12 + i as usize * 4 + j as usize + 1) as f32,
            false => 0.0,
        };
        let mut expected = Vec::new();
        for flip in [false, true] {
            for down in -1..=1 {
                for right in -1..=1 {
                    let at = |c, i: isize, j: isize| {
                        let j = j + right;
                        padded(c, i + down, if flip { 3 - j } else { j })
                    };
                    let all = (0..2).flat_map(|c| (0..3).flat_map(move |i| (0..4).map(move |j| (c, i, j))));
                    expected.push(all.map(|(c, i, j)| at(c, i, j)).collect::<Vec<f32>>());
                }
            }
        }
        let mut seen = HashMap::<usize, u32>::new();
        for row in 0..3600 {
            let out = apply(Augment { flip: true, pad: 1 }, 0, 0, row);
            let which = expected.iter().position(|e| *e == out).expect("no flip and shift of the image");
            *seen.entry(which).or_default() += 1;
        }
        // Binomial, mean 200, deviation 14.
        assert!(seen.len() == 18 && seen.values().all(|n| n.abs_diff(200) < 70), "{seen:?}");
    }

    #[test]
    fn it_depends_on_seed_epoch_and_row_only() {
        let usual = Augment::default();
        assert_eq!(apply(usual, 1, 2, 3), apply(usual, 1, 2, 3));
        let differ = |f: &dyn Fn(u64) -> Vec<f32>| (0..20).any(|n| f(n) != f(n + 1));
        assert!(differ(&|n| apply(usual, n, 0, 0)) && differ(&|n| apply(usual, 0, n, 0)));
        let none = Augment { flip: false, pad: 0 };
        assert!((0..20).all(|row| apply(none, 0, 0, row) == (1..=24u8).map(f32::from).collect::<Vec<_>>()));
        assert!(usual.apply(SHAPE, &[0.0; 23], &mut [0.0; 24], 0, 0, 0).is_err());
    }
}
