//! Prints the bits of everything that `norm-core`'s methods and instruments compute.

#![cfg_attr(target_os = "none", no_std, no_main)]

use norm_core::Error;
use norm_firmware::{Output, methods};

norm_firmware::program!(workload);

/// What of the workload this build has.
fn workload(out: &mut impl Output) -> Result<(), Error> {
    methods::single(out)?;
    #[cfg(feature = "double")]
    methods::double(out)?;
    Ok(())
}
