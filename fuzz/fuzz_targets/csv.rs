#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::csv`]

norm_fuzz::target!(norm_fuzz::csv);
