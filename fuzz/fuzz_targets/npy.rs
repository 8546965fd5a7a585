#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::npy`]

norm_fuzz::target!(norm_fuzz::npy);
