//! The state of homeostasis as bytes, to be kept over a loss of power.

use super::homeostasis::{HEAD, in_range, size};
use super::step::{STATE, Step};
use super::{CHANGED, Model, format};
use crate::Error;
use crate::error::length;

/// Bytes before the words.
const SAVED_HEAD: usize = 12;
const SAVED_MAGIC: [u8; 4] = *b"NRMS";

/// Bytes of a saved state of so many words.
pub(super) const fn saved(words: usize) -> usize {
    words.saturating_mul(4).saturating_add(SAVED_HEAD)
}

impl<const KINDS: u32> Model<'_, KINDS> {
    /// Bytes that [`save`](Self::save) writes.
    pub fn saved_len(&self) -> usize {
        saved(self.state)
    }

    /// Writes the state, to be kept over a loss of power: with the checksum of the model it belongs to, and its own.
    ///
    /// # Errors
    ///
    /// `to` of another length than [`saved_len`](Self::saved_len).
    pub fn save(&self, state: &[f32], to: &mut [u8]) -> Result<(), Error> {
        length("the saved state", self.saved_len(), to.len())?;
        let short = Error::Length { what: "the state", expected: self.state, got: state.len() };
        let state = state.get(..self.state).ok_or(short)?;
        let (head, words) = to.split_first_chunk_mut::<SAVED_HEAD>().ok_or(CHANGED)?;
        for (to, word) in words.as_chunks_mut().0.iter_mut().zip(state) {
            *to = word.to_le_bytes();
        }
        let parts = [SAVED_MAGIC, self.checksum.to_le_bytes(), format::crc32(words).to_le_bytes()];
        for (to, part) in head.as_chunks_mut().0.iter_mut().zip(parts) {
            *to = part;
        }
        Ok(())
    }

    /// Reads a saved state back.
    ///
    /// # Errors
    ///
    /// Bytes that are not the state of this model, or were changed; values that homeostasis would not have left.
    /// `state` is as it was then.
    pub fn restore(&self, saved: &[u8], state: &mut [f32]) -> Result<(), Error> {
        length("the saved state", self.saved_len(), saved.len())?;
        let state = self.state_part(state)?;
        let (head, words) = saved.split_first_chunk::<SAVED_HEAD>().ok_or(CHANGED)?;
        let parts = [SAVED_MAGIC, self.checksum.to_le_bytes(), format::crc32(words).to_le_bytes()];
        if head.as_chunks().0 != parts {
            return Err(Error::Unfit { needs: "a state that this model saved, unchanged" });
        }
        let words = words.as_chunks().0;
        let values = || words.iter().map(|&word| f32::from_le_bytes(word));
        if let Some(index) = values().position(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: "the saved state", index });
        }
        let (mut rest, mut left) = (self.steps, words);
        while let Some(step) = Step::next::<KINDS>(&mut rest) {
            let Step::Homeostasis(h) = step.map_err(|_| CHANGED)? else { continue };
            let (own, others) = left.split_at_checked(h.state()).ok_or(CHANGED)?;
            left = others;
            let (&head, neurons) = own.split_first_chunk::<HEAD>().ok_or(CHANGED)?;
            let [pending, seen_center, seen_gain] = head.map(f32::from_le_bytes);
            let is_left = |n: &[[u8; 4]; STATE]| {
                let [gain, center, _, drive, square, step] = n.map(f32::from_le_bytes);
                in_range(gain) && (center + drive).is_finite() && square >= 0.0 && size(step) <= size(1.0)
            };
            let mut neurons = neurons.as_chunks::<STATE>().0.iter();
            if !(pending == 0.0 || pending == 1.0)
                || seen_center < 0.0
                || seen_gain < 0.0
                || !neurons.all(is_left)
            {
                return Err(Error::Unfit { needs: "a state that homeostasis can have left" });
            }
        }
        for (to, value) in state.iter_mut().zip(values()) {
            *to = value;
        }
        Ok(())
    }
}
