use std::ops::Range;

use crate::{Error, Shape};

/// How a window slides over images of one shape: heights first, then widths.
///
/// ```
/// use norm_std::{Shape, kernels::Geometry};
///
/// let image = Shape { channels: 3, height: 32, width: 32 };
/// let geometry = Geometry::new(image, [5, 5], [1, 1], [2, 2])?;
/// assert_eq!((geometry.output(), geometry.taps()), ([32, 32], 75));
/// assert!(Geometry::new(image, [33, 5], [1, 1], [0, 0]).is_err());
/// # Ok::<(), norm_std::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub(crate) input: Shape,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
}

impl Geometry {
    /// A window of `kernel` at every `stride`-th place of an image with `padding` on either side.
    ///
    /// # Errors
    ///
    /// A kernel or a stride of 0, a kernel larger than the padded image, an image without values or beyond memory.
    pub fn new(
        input: Shape,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Result<Self, Error> {
        let [height, width] = kernel;
        let unfit = |problem: &str| {
            let layer = format!("a {height}x{width} kernel");
            Err(Error::Misfit { layer, input, problem: problem.to_owned() })
        };
        if input.is_empty() || [kernel, stride].as_flattened().contains(&0) {
            return unfit("images, kernels and strides are at least 1 by 1");
        }
        let padded = |size: usize, padding: usize| padding.checked_mul(2)?.checked_add(size);
        match (padded(input.height, padding[0]), padded(input.width, padding[1])) {
            (Some(h), Some(w)) if height <= h && width <= w => {
                // What the largest buffer, one sample unfolded, takes.
                let taps = input.channels.checked_mul(height).and_then(|n| n.checked_mul(width));
                match taps.and_then(|n| n.checked_mul(h)?.checked_mul(w)) {
                    Some(_) => Ok(Self { input, kernel, stride, padding }),
                    None => unfit("it does not fit into memory"),
                }
            }
            (Some(h), Some(w)) => unfit(&format!("with its padding it is {h}x{w}, smaller than the kernel")),
            _ => unfit("it does not fit into memory"),
        }
    }

    /// Height and width of the window.
    pub const fn kernel(&self) -> [usize; 2] {
        self.kernel
    }

    /// How far the window moves down and across.
    pub const fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// What stands above and below, left and right of the image.
    pub const fn padding(&self) -> [usize; 2] {
        self.padding
    }

    /// The shape of one image.
    pub const fn input(&self) -> Shape {
        self.input
    }

    /// Places of the window, down and across.
    pub const fn output(&self) -> [usize; 2] {
        [self.places(self.input.height, 0), self.places(self.input.width, 1)]
    }

    const fn places(&self, size: usize, axis: usize) -> usize {
        (size + 2 * self.padding[axis] - self.kernel[axis]) / self.stride[axis] + 1
    }

    /// Places of the window.
    pub const fn positions(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    /// Values that the window sees at one place: channels × kernel height × kernel width.
    pub const fn taps(&self) -> usize {
        self.input.channels * self.kernel[0] * self.kernel[1]
    }

    /// What the tap at `ky`, `kx` of the window reads as the window moves across at the `oy`-th place down: the
    /// places across at which it is on the image, and where on the image's plane the first of these is; the others
    /// follow at the distance of the stride.
    pub(crate) fn run(&self, oy: usize, [ky, kx]: [usize; 2]) -> (Range<usize>, usize) {
        let Shape { height, width, .. } = self.input;
        let ([sy, sx], [py, px]) = (self.stride, self.padding);
        let first = px.saturating_sub(kx).div_ceil(sx);
        let end = (width + px).saturating_sub(kx).div_ceil(sx).min(self.output()[1]);
        match (oy * sy + ky).checked_sub(py) {
            Some(y) if y < height && first < end => (first..end, y * width + (first * sx + kx - px)),
            _ => (0..0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_the_definition_says() {
        let input = Shape { channels: 1, height: 4, width: 5 };
        for kernel in [[1, 1], [2, 3], [4, 5], [8, 9]] {
            for stride in [[1, 1], [2, 3], [7, 1]] {
                for padding in [[0, 0], [2, 2], [3, 5]] {
                    let Ok(g) = Geometry::new(input, kernel, stride, padding) else { continue };
                    let [height, width] = g.output();
                    for (oy, ky, kx) in (0..height).flat_map(|o| {
                        (0..kernel[0]).flat_map(move |y| (0..kernel[1]).map(move |x| (o, y, x)))
                    }) {
                        let (inside, from) = g.run(oy, [ky, kx]);
                        for ox in 0..width {
                            let y = (oy * stride[0] + ky).checked_sub(padding[0]).filter(|&y| y < 4);
                            let x = (ox * stride[1] + kx).checked_sub(padding[1]).filter(|&x| x < 5);
                            let at = y.zip(x).map(|(y, x)| y * 5 + x);
                            let run = inside.contains(&ox).then(|| from + (ox - inside.start) * stride[1]);
                            assert_eq!(run, at, "{g:?} {oy} {ox} {ky} {kx}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let image = Shape { channels: 3, height: 4, width: 4 };
        let message =
            |kernel, stride, padding| Geometry::new(image, kernel, stride, padding).unwrap_err().to_string();
        let text = message([7, 4], [1, 1], [1, 0]);
        assert_eq!(
            text,
            "a 7x4 kernel does not fit an input of 3x4x4: with its padding it is 6x4, smaller than the kernel"
        );
        assert!(message([0, 1], [1, 1], [0, 0]).contains("at least 1 by 1"));
        assert!(message([1, 1], [0, 1], [0, 0]).contains("at least 1 by 1"));
        assert!(message([1, 1], [1, 1], [usize::MAX, 0]).contains("memory"));
        assert!(message([1, 1], [1, 1], [usize::MAX / 4, usize::MAX / 4]).contains("memory"));
        assert!(Geometry::new(Shape { height: 0, ..image }, [1, 1], [1, 1], [1, 1]).is_err());
    }
}
