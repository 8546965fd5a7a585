//! 1,797 handwritten digits of 8x8 pixels, part of the library.
//!
//! Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository,
//! <https://doi.org/10.24432/C50P49>, CC BY 4.0. Pixels become value / 16.
//!
//! The rows of one writer stand together in the file and are drawn to both sides, so accuracies are those of known writers.

use super::error::Error;
use super::file::Input;
use super::{Dataset, csv};
use crate::Shape;
use std::path::Path;

static FILE: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// The digits, divided by `seed` so that `test_fraction` of each class is for testing.
///
/// # Errors
/// If `test_fraction` is not between 0 and 1.
pub fn load(test_fraction: f64, seed: u64) -> Result<Dataset, Error> {
    let path = Path::new("digits.csv.gz");
    let mut table = csv::read(Input::new(path, Box::new(FILE), FILE.len() as u64)?)?;
    table.x.iter_mut().for_each(|pixel| *pixel /= 16.0);
    let shape = Shape { channels: 1, height: 8, width: 8 };
    let data = table.dataset("digits".into(), path, shape, test_fraction, seed)?;
    Ok(Dataset { scaling: "pixels / 16".into(), ..data })
}
