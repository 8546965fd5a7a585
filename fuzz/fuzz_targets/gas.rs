#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::gas`]

norm_fuzz::target!(norm_fuzz::gas);
