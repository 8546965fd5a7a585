#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::config`]

norm_fuzz::target!(norm_fuzz::config);
