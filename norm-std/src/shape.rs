//! The shape of one sample, or of what a layer passes on for it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Channels × height × width; a flat vector is channels × 1 × 1. Values lie channel by channel, row by row.
///
/// ```
/// use norm_std::Shape;
/// let image = Shape { channels: 3, height: 32, width: 32 };
/// assert_eq!((image.len(), image.positions()), (3072, 1024));
/// assert_eq!(image.to_string(), "3x32x32");
/// assert_eq!(Shape::flat(64).to_string(), "64");
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Shape {
    /// Channels of an image, or features of a vector.
    pub channels: usize,
    /// Rows of one channel.
    pub height: usize,
    /// Columns of one channel.
    pub width: usize,
}

impl Shape {
    /// Of a vector.
    pub const fn flat(n: usize) -> Self {
        Self { channels: n, height: 1, width: 1 }
    }

    /// All values; the largest number that there is, if there are more.
    pub const fn len(&self) -> usize {
        self.channels.saturating_mul(self.positions())
    }

    /// No values at all?
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Positions of one channel: height × width; 1 of a vector.
    pub const fn positions(&self) -> usize {
        self.height.saturating_mul(self.width)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.positions() {
            1 => write!(f, "{}", self.channels),
            _ => write!(f, "{}x{}x{}", self.channels, self.height, self.width),
        }
    }
}
