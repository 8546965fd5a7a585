use crate::kernels::{squares, vectorized};

/// Bounded plasticity: limits the gradient of each neuron's weights to a fraction of the norm of these weights.
///
/// ```text
/// g_i ← g_i · min(1, bound · max(|w_i|, 10⁻³) / |g_i|)
/// ```
///
/// The unit-wise gradient clipping of Brock, De, Smith, Simonyan, *High-Performance Large-Scale Image Recognition Without
/// Normalization*, ICML 2021, arXiv:2102.06171. `unit` is the number of weights of one neuron.
pub fn bound_units(weight: &[f32], grad: &mut [f32], unit: usize, bound: f32) {
    vectorized!({
        for (w, g) in weight.chunks_exact(unit.max(1)).zip(grad.chunks_exact_mut(unit.max(1))) {
            let factor = unit_factor(w, g, bound);
            if factor < 1.0 {
                g.iter_mut().for_each(|g| *g *= factor);
            }
        }
    });
}

/// By what the gradient of one neuron's weights is multiplied.
#[inline(always)]
pub(super) fn unit_factor(weight: &[f32], grad: &[f32], bound: f32) -> f32 {
    let [norm, size] = squares(weight, grad).map(f32::sqrt);
    let allowed = bound * norm.max(1e-3);
    if size > allowed { allowed / size } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_large_is_scaled() {
        let weight = [3.0, 4.0, 3.0, 4.0, 0.0, 0.0];
        let mut grad = [0.3, 0.4, 30.0, 40.0, 1.0, 0.0];
        bound_units(&weight, &mut grad, 2, 0.2);
        let expected = [0.3, 0.4, 0.6, 0.8, 2e-4, 0.0];
        assert!(grad.iter().zip(expected).all(|(g, e): (&f32, f32)| (g - e).abs() < 1e-6), "{grad:?}");
    }
}
