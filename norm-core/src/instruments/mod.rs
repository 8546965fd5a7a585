//! Instruments of use and coding, in one pass and fixed memory.
