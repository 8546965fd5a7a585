//! The loss that networks are trained on.

use norm_core::Real;

use crate::Error;

/// Softmax cross-entropy of `rows × classes` logits and one label a row.
///
/// ```text
/// loss = mean over rows of  log Σ_c exp(logit_c) − logit_label          dlogit = (softmax − one-hot) / rows
/// ```
///
/// Returns the mean loss and how many rows have their largest logit at the label (NaN never is the largest). Writes
/// the gradient if it is wanted.
///
/// # Errors
///
/// Labels that do not match the rows or name no class.
pub fn cross_entropy(
    logits: &[f32],
    labels: &[u32],
    classes: usize,
    mut dlogits: Option<&mut [f32]>,
) -> Result<(f64, usize), Error> {
    if labels.is_empty() || logits.len() != labels.len() * classes {
        let (rows, got) = (logits.len() / classes.max(1), labels.len());
        return Err(Error::Labels(format!("{rows} rows have {got} labels; one each is needed")));
    }
    let (mut loss, mut correct) = (0.0, 0);
    for (i, (logits, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let Some(&own) = logits.get(label as usize) else {
            return Err(Error::Labels(format!("row {i} has label {label}, but there are {classes} classes")));
        };
        let largest = logits.iter().fold(f32::NEG_INFINITY, |m, &z| m.max(z));
        let total: f32 = match &mut dlogits {
            None => logits.iter().map(|&z| Real::exp(z - largest)).sum(),
            Some(dlogits) => {
                let row = &mut dlogits[i * classes..(i + 1) * classes];
                row.iter_mut().zip(logits).for_each(|(d, &z)| *d = Real::exp(z - largest));
                let (total, share): (f32, _) = (row.iter().sum(), 1.0 / labels.len() as f32);
                for (c, d) in row.iter_mut().enumerate() {
                    let p = *d / total;
                    *d = share * if c == label as usize { p - 1.0 } else { p };
                }
                total
            }
        };
        loss += f64::from(largest - own) + libm::log(f64::from(total));
        correct += usize::from(argmax(logits) == Some(label as usize));
    }
    Ok((loss / labels.len() as f64, correct))
}

/// Probabilities in place of each row of logits: `exp(logit_c) / Σ_c exp(logit_c)`; NaN where a logit is.
pub fn softmax(logits: &mut [f32], classes: usize) {
    for row in logits.chunks_mut(classes.max(1)) {
        let largest = row.iter().fold(f32::NEG_INFINITY, |m, &z| m.max(z));
        row.iter_mut().for_each(|z| *z = Real::exp(*z - largest));
        let total: f32 = row.iter().sum();
        row.iter_mut().for_each(|z| *z /= total);
    }
}

/// The first of the largest values; `None` if all are NaN.
pub fn argmax(values: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (i, &v) in values.iter().enumerate() {
        if best.map_or(!v.is_nan(), |(_, b)| v > b) {
            best = Some((i, v));
        }
    }
    best.map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_gradient() {
        let logits = [1.0, 2.0, 0.5, 1000.0, -1000.0, 0.0];
        let mut d = [0.0; 6];
        let (loss, correct) = cross_entropy(&logits, &[1, 0], 3, Some(&mut d)).unwrap();
        let exact = ((1f64.exp() + 2f64.exp() + 0.5f64.exp()).ln() - 2.0 + 0.0) / 2.0;
        assert!((loss - exact).abs() < 1e-6, "{loss} {exact}");
        assert_eq!(correct, 2);
        for i in 0..6 {
            let at = |by: f32| {
                let mut l = logits;
                l[i] += by;
                cross_entropy(&l, &[1, 0], 3, None).unwrap().0
            };
            let difference = (at(0.01) - at(-0.01)) / 0.02;
            assert!((f64::from(d[i]) - difference).abs() < 1e-3, "{i}: {} {difference}", d[i]);
        }
    }

    #[test]
    fn probabilities() {
        let mut rows = [0.0, 2f32.ln(), 1000.0, 1000.0, f32::NAN, 0.0];
        softmax(&mut rows, 2);
        assert!((rows[0] - 1.0 / 3.0).abs() < 1e-6 && (rows[1] - 2.0 / 3.0).abs() < 1e-6, "{rows:?}");
        assert!(rows[2..4] == [0.5, 0.5] && rows[4..].iter().all(|p| p.is_nan()), "{rows:?}");
    }

    #[test]
    fn bad_labels_and_nan() {
        assert!(cross_entropy(&[0.0; 6], &[0], 3, None).is_err());
        assert!(cross_entropy(&[0.0; 3], &[3], 3, None).unwrap_err().to_string().contains("label 3"));
        let (loss, correct) = cross_entropy(&[f32::NAN; 3], &[0], 3, None).unwrap();
        assert!(loss.is_nan() && correct == 0);
        assert_eq!(argmax(&[f32::NAN, 1.0, 3.0, 3.0]), Some(2));
    }
}
