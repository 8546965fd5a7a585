//! As little as it takes to adapt to digits with `digits-live-int8.norm`: for its size in flash.

#![cfg_attr(target_os = "none", no_std, no_main)]

use norm_core::include_model;

norm_firmware::one!(include_model!("../../models/digits-live-int8.norm"), live);
