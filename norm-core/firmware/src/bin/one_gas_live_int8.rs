//! As little as it takes to adapt to gas sensors with `gas-live-int8.norm`: for its size in flash.

#![cfg_attr(target_os = "none", no_std, no_main)]

use norm_core::include_model;

norm_firmware::one!(include_model!("../../models/gas-live-int8.norm"), live);
