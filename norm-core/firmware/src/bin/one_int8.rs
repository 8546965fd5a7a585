//! As little as it takes to classify digits with `digits-int8.norm`: for its size in flash.

#![cfg_attr(target_os = "none", no_std, no_main)]

use norm_core::include_model;

norm_firmware::one!(include_model!("../../models/digits-int8.norm"), fixed);
