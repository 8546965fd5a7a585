use core::ops::Range;

use super::error::Problem;
use super::fields::product;

/// How a window slides over an image: heights first, then widths.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) channels: usize,
    pub(super) size: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) padding: [usize; 2],
    pub(super) output: [usize; 2],
}

impl Window {
    /// Of `channels, height, width, kernel_h, kernel_w, stride_h, stride_w`, and the padding.
    #[inline(always)]
    pub(super) fn new(sizes: [usize; 7], padding: [u32; 2]) -> Result<Self, Problem> {
        let [channels, height, width, kh, kw, sh, sw] = sizes;
        let (size, kernel, stride) = ([height, width], [kh, kw], [sh, sw]);
        let padding = padding.map(|p| p as usize);
        let mut output = [0; 2];
        for axis in 0..2 {
            let padded = padding[axis].checked_mul(2).and_then(|p| p.checked_add(size[axis]));
            let free = padded.and_then(|p| p.checked_sub(kernel[axis])).ok_or(Problem::Shape)?;
            output[axis] = free.checked_div(stride[axis]).ok_or(Problem::Shape)?.saturating_add(1);
            product([size[axis].saturating_add(padding[axis]), kernel[axis]])?;
        }
        product([channels, height, width])?;
        product([channels, kh, kw])?;
        product([channels, output[0], output[1]])?;
        Ok(Self { channels, size, kernel, stride, padding, output })
    }

    pub(super) fn plane(&self) -> usize {
        self.size[0].saturating_mul(self.size[1])
    }

    pub(super) fn input_len(&self) -> usize {
        self.channels.saturating_mul(self.plane())
    }

    pub(super) fn positions(&self) -> usize {
        self.output[0].saturating_mul(self.output[1])
    }

    /// Values of one channel that the window sees.
    pub(super) fn area(&self) -> usize {
        self.kernel[0].saturating_mul(self.kernel[1])
    }

    pub(super) fn taps(&self) -> usize {
        self.channels.saturating_mul(self.area())
    }

    /// Of the window at place `at` of an axis: which of its taps lie on the image, and on what the first of these does.
    #[inline(always)]
    fn on_image(&self, axis: usize, at: usize) -> (Range<usize>, usize) {
        let [size, kernel, stride, padding] = match axis {
            0 => [self.size[0], self.kernel[0], self.stride[0], self.padding[0]],
            _ => [self.size[1], self.kernel[1], self.stride[1], self.padding[1]],
        };
        let start = at.wrapping_mul(stride);
        let first = padding.saturating_sub(start);
        let end = size.saturating_add(padding).saturating_sub(start).min(kernel);
        (first..end.max(first), start.saturating_sub(padding))
    }

    /// The window at one place of the output.
    #[inline(always)]
    pub(super) fn place(&self, oy: usize, ox: usize) -> Place {
        let ((rows, y), (columns, x)) = (self.on_image(0, oy), self.on_image(1, ox));
        Place { rows, columns, at: [y, x] }
    }

    /// `N` places from `ox` on, or before if the row of the output ends: the first of them, and where it is. `None` unless the
    /// stride is 1 and no tap of theirs lies left or right of the image.
    #[inline(always)]
    pub(super) fn together<const N: usize>(&self, oy: usize, ox: usize) -> Option<(Place, usize)> {
        let [_, padding] = self.padding;
        let end = self.size[1].saturating_add(padding).saturating_sub(self.kernel[1]).saturating_add(1);
        let first = ox.min(end.checked_sub(N)?);
        // Not so far back that all but a few were done before.
        if self.stride[1] != 1 || first < padding || ox >= end {
            return None;
        }
        Some((self.place(oy, first), first))
    }

    /// Calls `f` for each place of the window, in order: rows and columns of taps that lie on the image, and where on the
    /// image the first row and column do.
    #[inline(always)]
    pub(super) fn places(&self, mut f: impl FnMut(Place)) {
        for oy in 0..self.output[0] {
            let (rows, y) = self.on_image(0, oy);
            for ox in 0..self.output[1] {
                let (columns, x) = self.on_image(1, ox);
                f(Place { rows: rows.clone(), columns, at: [y, x] });
            }
        }
    }
}

/// One place of a window.
pub(super) struct Place {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    /// Row and column of the image at the first tap that lies on it.
    pub(super) at: [usize; 2],
}

impl Place {
    /// Whether all taps lie on the image.
    #[inline(always)]
    pub(super) fn is_inside(&self, window: &Window) -> bool {
        self.rows.len() == window.kernel[0] && self.columns.len() == window.kernel[1]
    }

    /// The runs of values that the window sees of one channel's plane, with the index of the first tap of each.
    #[inline(always)]
    pub(super) fn runs<'a, T>(
        &self,
        window: &Window,
        plane: &'a [T],
    ) -> impl Iterator<Item = (usize, &'a [T])> {
        let (across, wide, first) = (window.size[1], window.kernel[1], self.columns.start);
        let len = self.columns.len();
        let mut from = self.at[0].saturating_mul(across).saturating_add(self.at[1]);
        let mut tap = self.rows.start.saturating_mul(wide).saturating_add(first);
        self.rows.clone().map(move |_| {
            let run = plane.get(from..).and_then(|p| p.get(..len)).unwrap_or(&[]);
            let at = tap;
            from = from.saturating_add(across);
            tap = tap.saturating_add(wide);
            (at, run)
        })
    }
}
