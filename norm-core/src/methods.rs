//! The list of methods: the one line that a new method adds outside its own folder.

/// Calls `$callback! { name: Method<T, S>, ... }` for the scalar `$t` and the storage `$s`, with every method in
/// the order of tables.
///
/// Registries, tests and benchmarks are made from this list, so that a method that stands here is trained,
/// tested and compared like all others.
#[macro_export]
macro_rules! for_each_method {
    ($callback:ident, $t:ty, $s:ty) => {
        $callback! {
            batch_norm: $crate::neuron::BatchNorm<$t, $s>,
            intrinsic_plasticity: $crate::neuron::IntrinsicPlasticity<$t, $s>,
            triesch: $crate::neuron::Triesch<$t, $s>,
            centering: $crate::synapse::Centering<$t, $s>,
            synaptic_scaling: $crate::synapse::SynapticScaling<$t, $s>,
            weight_norm: $crate::synapse::WeightNorm<$s>,
            weight_standardization: $crate::synapse::WeightStandardization<$t, $s>,
            heterosynaptic: $crate::synapse::Heterosynaptic<$t, $s>,
            heterosynaptic_subtractive: $crate::synapse::HeterosynapticSubtractive<$t, $s>,
            layer_norm: $crate::layer::LayerNorm<$t, $s>,
            rms_norm: $crate::layer::RmsNorm<$t, $s>,
            group_norm: $crate::layer::GroupNorm<$t, $s>,
            instance_norm: $crate::layer::InstanceNorm<$t, $s>,
            divisive: $crate::layer::DivisiveNorm<$t>,
            k_winners: $crate::layer::KWinners,
            lsuv: $crate::network::Lsuv<$t>,
            selu: $crate::network::Selu,
            firing_rate: $crate::network::FiringRate<$t>,
            sleep: $crate::network::SleepDownSelection<$t>,
        }
    };
}
