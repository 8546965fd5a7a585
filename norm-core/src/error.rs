//! What can be wrong with a call: always a value, never a panic.

use core::fmt;

/// Why a call was refused. Nothing was changed, unless the method's docs say otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Error {
    /// A buffer has the wrong length.
    Length {
        /// Which argument.
        what: &'static str,
        /// The length it must have.
        expected: usize,
        /// The length it has.
        got: usize,
    },
    /// A buffer does not hold whole rows.
    Rows {
        /// Which argument.
        what: &'static str,
        /// The length of one row.
        width: usize,
        /// The length it has.
        got: usize,
    },
    /// Too few values to work on, such as an empty batch.
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// A parameter is out of its range.
    Param {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be, in words.
        range: &'static str,
    },
    /// A NaN or an infinity where slow state or weights would take it up for good.
    NonFinite {
        /// Which argument.
        what: &'static str,
        /// The index of the first such value.
        index: usize,
    },
    /// The method cannot be used on this layer.
    Unfit {
        /// What the method needs, in words.
        needs: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Length { what, expected, got } => {
                write!(f, "{what} has {got} values, but must have {expected}")
            }
            Error::Rows { what, width, got } => {
                write!(f, "{what} has {got} values, which is no whole number of rows of {width}")
            }
            Error::TooFew { what, needed, got } => write!(f, "{got} {what} given, at least {needed} needed"),
            Error::Param { name, value, range } => write!(f, "{name} is {value}, but must be {range}"),
            Error::NonFinite { what, index } => {
                write!(f, "{what} is NaN or infinite at index {index}; the state was left as it was")
            }
            Error::Unfit { needs } => write!(f, "the method does not fit this layer: it needs {needs}"),
        }
    }
}

impl core::error::Error for Error {}

/// `got == expected`, or the error that says so.
#[inline(always)]
pub(crate) fn length(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

/// The number of whole rows of `width` in `got` values; at least one.
#[inline(always)]
pub(crate) fn rows(what: &'static str, width: usize, got: usize) -> Result<usize, Error> {
    match (got.checked_div(width), got.checked_rem(width)) {
        (Some(rows), Some(0)) if rows > 0 => Ok(rows),
        (Some(_), Some(0)) => Err(Error::TooFew { what, needed: width, got }),
        _ => Err(Error::Rows { what, width, got }),
    }
}

/// `value`, if `ok`; else the error that names the range.
#[inline(always)]
pub(crate) fn param<T: crate::Real>(
    name: &'static str,
    value: T,
    ok: bool,
    range: &'static str,
) -> Result<T, Error> {
    if ok { Ok(value) } else { Err(Error::Param { name, value: value.to_f64(), range }) }
}

/// Refuses what would poison slow state.
#[inline]
pub(crate) fn finite<T: crate::Real>(what: &'static str, values: &[T]) -> Result<(), Error> {
    // All of them first, without a branch on each: nearly always all are finite.
    if values.iter().fold(true, |all, v| all & v.is_finite()) {
        return Ok(());
    }
    let index = values.iter().position(|v| !v.is_finite()).unwrap_or(0);
    Err(Error::NonFinite { what, index })
}

#[inline]
pub(crate) fn eps<T: crate::Real>(eps: T) -> Result<T, Error> {
    param("eps", eps, eps >= T::ZERO && eps.is_finite(), "finite and at least 0")
}
