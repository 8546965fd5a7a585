//! Prints what trained networks answer, and how they go on adapting while their inputs drift.

#![cfg_attr(target_os = "none", no_std, no_main)]

use norm_firmware::Output;
use norm_firmware::networks::{self, Failure};

norm_firmware::program!(workload);

/// What of the workload this build has.
fn workload(out: &mut impl Output) -> Result<(), Failure> {
    #[cfg(feature = "digits")]
    {
        networks::digits(out)?;
        networks::drifting_digits(out)?;
    }
    #[cfg(all(feature = "gas", not(feature = "whole")))]
    networks::gas(out)?;
    #[cfg(feature = "whole")]
    networks::gas_whole(out, include_bytes!("../../models/gas-whole.rows"))?;
    Ok(())
}
