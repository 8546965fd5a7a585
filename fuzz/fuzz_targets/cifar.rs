#![cfg_attr(fuzzing, no_main)]
//! [`norm_fuzz::cifar`]

norm_fuzz::target!(norm_fuzz::cifar);
