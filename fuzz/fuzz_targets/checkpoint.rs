#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::checkpoint`]

norm_fuzz::target!(norm_fuzz::checkpoint);
