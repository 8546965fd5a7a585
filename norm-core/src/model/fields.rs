use super::error::Problem;

/// The fields and arrays of a step, read one after another.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u32]);

impl<'a> Fields<'a> {
    #[inline(always)]
    fn take(&mut self, words: usize) -> Result<&'a [u32], Problem> {
        let (taken, rest) = self.0.split_at_checked(words).ok_or(Problem::Size)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline(always)]
    pub(super) fn words<const N: usize>(&mut self) -> Result<[u32; N], Problem> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Problem::Size)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Sizes: none of them 0.
    #[inline(always)]
    pub(super) fn sizes<const N: usize>(&mut self) -> Result<[usize; N], Problem> {
        let words = self.words::<N>()?;
        if words.contains(&0) { Err(Problem::Shape) } else { Ok(words.map(|w| w as usize)) }
    }

    #[inline(always)]
    pub(super) fn floats<const N: usize>(&mut self) -> Result<[f32; N], Problem> {
        Ok(self.words::<N>()?.map(f32::from_bits))
    }

    #[inline(always)]
    pub(super) fn f32s(&mut self, n: usize) -> Result<&'a [f32], Problem> {
        bytemuck::try_cast_slice(self.take(n)?).map_err(|_| Problem::Size)
    }

    #[inline(always)]
    pub(super) fn i32s(&mut self, n: usize) -> Result<&'a [i32], Problem> {
        bytemuck::try_cast_slice(self.take(n)?).map_err(|_| Problem::Size)
    }

    #[inline(always)]
    pub(super) fn i8s(&mut self, n: usize) -> Result<&'a [i8], Problem> {
        let bytes: &[i8] = bytemuck::try_cast_slice(self.take(n.div_ceil(4))?).map_err(|_| Problem::Size)?;
        bytes.get(..n).ok_or(Problem::Size)
    }
}

/// The product of sizes, if it is one that memory could hold.
#[inline(always)]
pub(super) fn product<const N: usize>(sizes: [usize; N]) -> Result<usize, Problem> {
    let mut total = 1usize;
    for size in sizes {
        total = total.checked_mul(size).filter(|&n| n <= i32::MAX as usize / 4).ok_or(Problem::Shape)?;
    }
    Ok(total)
}
