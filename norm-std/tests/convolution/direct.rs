//! The kernels that do not unfold: shapes that fill vectors of every length in one way or the other, and shapes that do not.

use norm_std::Shape;
use norm_std::kernels::{Geometry, conv2d, conv2d_input, conv2d_params};
use norm_std::threads::Workspace;

use super::{close, normal, oracle, wide};

#[test]
fn every_way_gives_the_naive_convolution_and_its_gradients() {
    let shape = |channels, height, width| Shape { channels, height, width };
    for (input, channels, kernel, padding) in [
        (shape(1, 28, 28), 6, [5, 5], [2, 2]),
        (shape(6, 14, 14), 16, [5, 5], [0, 0]),
        (shape(3, 12, 32), 6, [5, 5], [0, 0]),
        (shape(3, 9, 9), 17, [3, 3], [1, 1]),
        (shape(16, 8, 8), 32, [3, 3], [1, 1]),
        (shape(2, 5, 40), 13, [1, 3], [0, 2]),
        (shape(5, 11, 7), 24, [4, 5], [3, 1]),
        (shape(7, 6, 33), 1, [2, 3], [1, 0]),
        (shape(1, 5, 5), 16, [5, 5], [0, 0]),
    ] {
        for pad in [Vec::new(), normal(input.channels, 3)] {
            let what = format!("{input} to {channels} by {kernel:?} in {padding:?}");
            // More than one piece of those that weights' gradients are added up in.
            let (rows, g) = (11, Geometry::new(input, kernel, [1, 1], padding).unwrap());
            let places = oracle::seen(input, kernel, [1, 1], padding);
            let (x, weight, bias) =
                (normal(rows * input.len(), 0), normal(channels * g.taps(), 1), normal(channels, 2));
            let du = normal(rows * channels * places.len(), 4);
            let (x64, w64, pad64) = (wide(&x), wide(&weight), wide(&pad));
            let pad64 = if pad.is_empty() { vec![0.0; input.channels] } else { pad64 };
            let mut work = Workspace::default();

            let mut u = vec![f32::NAN; du.len()];
            conv2d(&g, &x, &pad, (&weight, &bias), &mut u, &mut work);
            close(
                &format!("{what}: u"),
                &u,
                &oracle::conv(&places, input.len(), &x64, &pad64, &w64, &wide(&bias)),
            );

            let (mut dw64, mut db64, mut dx64) =
                (vec![0.0; weight.len()], vec![0.0; channels], vec![0.0; x.len()]);
            for (i, &du) in du.iter().enumerate() {
                let (row, o, place) =
                    (i / (channels * places.len()), i / places.len() % channels, &places[i % places.len()]);
                db64[o] += f64::from(du);
                for (tap, at) in place.iter().enumerate() {
                    let at = at.map(|at| row * input.len() + at);
                    let seen = at.map_or(pad64[tap / (kernel[0] * kernel[1])], |at| x64[at]);
                    dw64[o * g.taps() + tap] += f64::from(du) * seen;
                    if let Ok(at) = at {
                        dx64[at] += f64::from(du) * w64[o * g.taps() + tap];
                    }
                }
            }
            let (mut dw, mut db) = (vec![f32::NAN; weight.len()], vec![f32::NAN; channels]);
            conv2d_params(&g, &x, &pad, &du, (&mut dw, &mut db), &mut work);
            close(&format!("{what}: dweight"), &dw, &dw64);
            close(&format!("{what}: dbias"), &db, &db64);
            let mut dx = vec![f32::NAN; x.len()];
            conv2d_input(&g, &du, &weight, &mut dx, &mut work);
            close(&format!("{what}: dx"), &dx, &dx64);

            // An image has the same bits whatever stands beside it.
            let mut alone = vec![f32::NAN; u.len() / rows];
            conv2d(&g, &x[input.len()..2 * input.len()], &pad, (&weight, &bias), &mut alone, &mut work);
            assert_eq!(alone, u[alone.len()..2 * alone.len()], "{what}");
        }
    }
}
