#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::model`]

norm_fuzz::target!(norm_fuzz::model);
