//! The list of methods: the one line that a new method adds outside its own folder.

/// Calls `$callback! { Method, Method, ... }` with the path of every method, in the order of tables.
///
/// Registries, tests and benchmarks are made from this list, so that a method that stands here is trained,
/// tested and compared like all others.
#[macro_export]
macro_rules! for_each_method {
    ($callback:ident) => {
        $callback! {
            $crate::neuron::BatchNorm,
            $crate::synapse::Centering,
            $crate::synapse::SynapticScaling,
            $crate::layer::LayerNorm,
            $crate::layer::RmsNorm,
            $crate::layer::GroupNorm,
            $crate::layer::KWinners,
        }
    };
}
