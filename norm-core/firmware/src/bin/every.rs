//! Prints the bits of every kind of step that a model can have.

#![cfg_attr(target_os = "none", no_std, no_main)]

norm_firmware::program!(norm_firmware::every::every_step);
