/// Bytes at an address that is a multiple of 16, as [`include_model!`](crate::include_model) embeds files.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(pub T);

/// Embeds a model file, aligned: a `&'static [u8]` for [`Model::load`](crate::model::Model::load).
#[macro_export]
macro_rules! include_model {
    ($path:expr) => {{
        const FILE: &$crate::model::Aligned<[u8]> = &$crate::model::Aligned(*include_bytes!($path));
        &FILE.0
    }};
}
