//! Convolution as its definition says, in double precision.

use norm_std::Shape;

/// What a window at one place sees: the index of each tap's value in one image, or the channel if it is outside.
pub(crate) fn seen(
    input: Shape,
    [kh, kw]: [usize; 2],
    [sy, sx]: [usize; 2],
    [py, px]: [usize; 2],
) -> Vec<Vec<Result<usize, usize>>> {
    let Shape { channels, height, width } = input;
    let (rows, columns) = ((height + 2 * py - kh) / sy + 1, (width + 2 * px - kw) / sx + 1);
    let mut places = Vec::new();
    for (oy, ox) in (0..rows).flat_map(|oy| (0..columns).map(move |ox| (oy, ox))) {
        let mut taps = Vec::new();
        for c in 0..channels {
            for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                let (y, x) = (oy * sy + ky, ox * sx + kx);
                let inside = (py..py + height).contains(&y) && (px..px + width).contains(&x);
                taps.push(if inside { Ok((c * height + y - py) * width + x - px) } else { Err(c) });
            }
        }
        places.push(taps);
    }
    places
}

pub(crate) fn conv(
    places: &[Vec<Result<usize, usize>>],
    image: usize,
    x: &[f64],
    pad: &[f64],
    weight: &[f64],
    bias: &[f64],
) -> Vec<f64> {
    let mut u = Vec::new();
    for x in x.chunks(image) {
        for (weight, bias) in weight.chunks(places[0].len()).zip(bias) {
            for taps in places {
                let value = |tap: &Result<usize, usize>| tap.map_or_else(|c| pad[c], |i| x[i]);
                u.push(bias + taps.iter().zip(weight).map(|(tap, w)| w * value(tap)).sum::<f64>());
            }
        }
    }
    u
}
