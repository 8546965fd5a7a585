#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::words`]

norm_fuzz::target!(norm_fuzz::words);
