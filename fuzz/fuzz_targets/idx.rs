#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::idx`]

norm_fuzz::target!(norm_fuzz::idx);
