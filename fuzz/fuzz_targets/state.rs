#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::state`]

norm_fuzz::target!(norm_fuzz::state);
