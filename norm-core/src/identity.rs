//! The identity as a map of rows: for methods that change weights in place and for those that only shift.

use crate::error::{length, rows};
use crate::{Error, Real};

/// `to = from`, whole rows of `width`; the errors call them `what` and "the output".
#[inline]
pub(crate) fn copy<T: Real>(what: &'static str, width: usize, from: &[T], to: &mut [T]) -> Result<(), Error> {
    rows(what, width, from.len())?;
    length("the output", from.len(), to.len())?;
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
    Ok(())
}
