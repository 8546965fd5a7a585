//! What is computed on the microcontroller and on the desktop, with the same bits: every method in the list, in
//! every step that its interface has, for `f32` and `f64`; then the instruments, and homeostasis in a closed loop.

use norm_core::heapless::Vec;
use norm_core::instruments::{Centroids, Codes, Covariance, UnitUse, Usage, covariance_memory};
use norm_core::layer::LayerNorm;
use norm_core::synapse::{Centering, SynapticScaling};
use norm_core::{Build, Error, Method, Normalize, Observe, Pass, Seen, Site, Spec, for_each_method, sum};

use crate::output::{Bits, Output, print};

/// More than one vector of lanes, and a rest.
const NEURONS: usize = 10;
const INPUTS: usize = 9;
const ROWS: usize = 3;
/// After a convolution.
const POSITIONS: usize = 3;
/// The largest array: the weights, and all positions of all channels. The buffers of one method for `f64` must fit 16 KiB with all else.
const LARGEST: usize = NEURONS * ROWS * POSITIONS;
const _: () = assert!(LARGEST >= NEURONS * INPUTS);

/// What a method keeps for a layer of this size, at most one value for each position of each channel.
type Kept<T> = Vec<T, { NEURONS * POSITIONS }>;
type Buffer<T> = Vec<T, LARGEST>;
/// What a method keeps for its backward pass: at most four values for each neuron and row.
type Tape<T> = Vec<T, { 4 * ROWS * NEURONS }>;

/// Computes and prints everything for `f32`. An error is the workload's own fault: nothing in it is out of range.
pub fn single(out: &mut impl Output) -> Result<(), Error> {
    macro_rules! exercise_all {
        ($($name:ident: $method:ty,)*) => { $(exercise::<f32, $method>(out)?;)* };
    }
    for_each_method!(exercise_all, f32, Kept<f32>);
    long_rows(out)?;
    instruments(out)?;
    closed_loop(out)
}

/// Every method for `f64`.
pub fn double(out: &mut impl Output) -> Result<(), Error> {
    macro_rules! exercise_all {
        ($($name:ident: $method:ty,)*) => { $(exercise::<f64, $method>(out)?;)* };
    }
    for_each_method!(exercise_all, f64, Kept<f64>);
    Ok(())
}

/// `n` numbers without a pattern: a row of ordinary size, one far from 0, one of denormal numbers, and so on.
fn fill<T: Bits, const N: usize>(to: &mut Vec<T, N>, n: usize, width: usize, seed: u32) -> Result<(), Error> {
    to.clear();
    for i in 0..n {
        let x = noise(i as u32, seed);
        let x = match i.checked_div(width).unwrap_or(0) % 3 {
            1 => T::from_f64(1e4 + x),
            2 => T::from_f64(x * 0.0625) * T::MIN_POSITIVE,
            _ => T::from_f64(x),
        };
        to.push(x).map_err(|_| too_small(n, N))?;
    }
    Ok(())
}

fn constant<T: Bits, const N: usize>(n: usize, value: T) -> Result<Vec<T, N>, Error> {
    let mut buffer = Vec::new();
    buffer.resize(n, value).map_err(|_| too_small(n, N))?;
    Ok(buffer)
}

fn too_small(expected: usize, got: usize) -> Error {
    Error::Length { what: "a buffer of the workload", expected, got }
}

/// A number in (-1, 1), exact in `f32`: an integer hash (Wellons' lowbias32).
fn noise(i: u32, seed: u32) -> f64 {
    let mut x = i.wrapping_add(seed.wrapping_mul(0x9e37_79b9));
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^= x >> 16;
    f64::from((x >> 8) as i32 - (1 << 23)) / f64::from(1 << 23)
}

/// One method in a dense layer and after a convolution, where it serves them.
fn exercise<T: Bits, M: Method<T> + Build<T, Kept<T>>>(out: &mut impl Output) -> Result<(), Error> {
    for length in [1, POSITIONS] {
        match steps::<T, M>(out, length) {
            Ok(()) | Err(Error::Unfit { .. }) => (),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// All steps of one method. Not inlined, so that the stack holds the buffers of one at a time.
#[inline(never)]
fn steps<T: Bits, M: Method<T> + Build<T, Kept<T>>>(
    out: &mut impl Output,
    length: usize,
) -> Result<(), Error> {
    let mut method = M::build(Spec { length, ..Spec::dense(NEURONS, INPUTS) }, &mut constant)?;
    let name = method.info().name;
    let (mut weight, mut bias) = (Buffer::<T>::new(), Kept::<T>::new());
    fill(&mut weight, NEURONS * INPUTS, INPUTS, 1)?;
    fill(&mut bias, NEURONS, NEURONS, 2)?;
    method.start(&weight)?;
    for (seed, params) in (3..).zip(method.params_mut()) {
        for (i, p) in (0..).zip(params) {
            *p += T::from_f64(0.5 * noise(i, seed));
        }
    }

    let width = method.width();
    let rows = match method.site() {
        Site::Weight => NEURONS,
        _ if width == 1 => ROWS * NEURONS * length,
        _ => ROWS,
    };
    let n = rows * width;
    let (mut x, mut dy) = (Buffer::<T>::new(), Buffer::<T>::new());
    fill(&mut x, n, width, 5)?;
    for i in 0..n {
        dy.push(T::from_f64(noise(i as u32, 6))).map_err(|_| too_small(n, LARGEST))?;
    }
    let mut y: Buffer<T> = constant(n, T::ZERO)?;
    let mut tape: Tape<T> = constant(method.tape_len(rows), T::ZERO)?;
    method.forward(&x, &mut y, &mut tape)?;
    print(out, name, "forward", &y);

    let [dweight, dbias] = method.params().map(<[T]>::len);
    let (mut dweight, mut dbias): (Kept<T>, Kept<T>) =
        (constant(dweight, T::ZERO)?, constant(dbias, T::ZERO)?);
    method.backward(Pass { x: &x, tape: &tape, dy: &dy }, &mut y, [&mut dweight, &mut dbias])?;
    print(out, name, "backward", &y);
    print(out, name, "dweight", &dweight);
    print(out, name, "dbias", &dbias);

    observe(out, &mut method, length)?;
    method.infer(&x, &mut y)?;
    print(out, name, "infer", &y);
    for part in method.state_mut() {
        print(out, name, "state", part);
    }
    if let Some(settle) = method.as_settle() {
        settle.begin(&weight)?;
        for (w, by) in weight.iter_mut().zip(0..) {
            *w *= T::from_f64(1.0 + 0.5 * noise(by, 7));
        }
        settle.settle(&mut weight)?;
        print(out, name, "settle", &weight);
    }
    if let Some(fold) = method.as_fold() {
        fold.fold(&mut weight, &mut bias)?;
        print(out, name, "fold-weight", &weight);
        print(out, name, "fold-bias", &bias);
    }
    Ok(())
}

/// A first batch, then one sample after another, the inputs growing; then what must be refused.
#[inline(never)]
fn observe<T: Bits>(out: &mut impl Output, method: &mut impl Method<T>, length: usize) -> Result<(), Error> {
    let (name, width, neurons) = (method.info().name, method.width(), NEURONS * length);
    let wide = width.max(neurons);
    let Some(observer) = method.as_observe() else { return Ok(()) };
    let mut drive = Buffer::<T>::new();
    for i in 0..ROWS * wide {
        let x = T::from_f64(3.0 * noise(i as u32, 8) + 1.0);
        drive.push(x).map_err(|_| too_small(ROWS * wide, LARGEST))?;
    }
    fn seen<T>(drive: &[T], rows: usize, width: usize, neurons: usize) -> Option<Seen<'_, T>> {
        let (x, y) = (drive.get(..rows * width)?, drive.get(..rows * neurons)?);
        Some(Seen { x, y, activity: y })
    }
    if let Some(batch) = seen(&drive, ROWS, width, neurons) {
        observer.calibrate(batch)?;
        print(out, name, "observe-a-batch", &[observer.observe(batch)?]);
    }
    for _ in 0..ROWS {
        drive.iter_mut().for_each(|x| *x *= T::from_f64(1.25));
        if let Some(sample) = seen(&drive, 1, width, neurons) {
            print(out, name, "observe-a-sample", &[observer.observe(sample)?]);
        }
    }
    observer.compensate(T::from_f64(0.125));
    drive.iter_mut().for_each(|x| *x = T::NAN);
    let refused = seen(&drive, ROWS, width, neurons).map(|bad| observer.observe(bad));
    let refused = if matches!(refused, Some(Err(Error::NonFinite { .. }))) { T::ONE } else { T::ZERO };
    print(out, name, "refused", &[refused]);
    Ok(())
}

/// Rows of several blocks of the order of sums, which the layers above are too small for.
#[inline(never)]
fn long_rows(out: &mut impl Output) -> Result<(), Error> {
    const WIDTH: usize = 2 * sum::BLOCK + 21;
    let mut x = [0.0f32; WIDTH];
    for (x, i) in x.iter_mut().zip(0..) {
        *x = (1e4 + noise(i, 9)) as f32;
    }
    print(out, "sum", "long", &[sum::sum(&x), sum::dot(&x, &x)]);
    let mut y = [0.0; WIDTH];
    LayerNorm::new([1.0; WIDTH], [0.0; WIDTH], 1e-5)?.infer(&x, &mut y)?;
    print(out, "layer", "long", &y);
    Ok(())
}

/// The instruments, over a small layer of rectified activity.
#[inline(never)]
fn instruments(out: &mut impl Output) -> Result<(), Error> {
    const UNITS: usize = 4;
    const MEMORY: usize = covariance_memory(UNITS);
    let mut usage = Usage::new([UnitUse::<f32>::default(); UNITS], 1)?;
    let mut codes = Codes::new([0; UNITS], [0; 32], 1)?;
    let mut covariance = Covariance::new([0.0f64; MEMORY], UNITS, 1)?;
    let mut centroids = Centroids::new([0.0f32; 2 * UNITS], [0; 2])?;
    for t in 0..50u32 {
        let mut activity = [0.0f32; UNITS];
        for (a, i) in activity.iter_mut().zip(0..) {
            *a = (noise(t * UNITS as u32 + i, 12) + f64::from(t % 2)).max(0.0) as f32;
        }
        usage.observe(&activity)?;
        codes.observe(&activity)?;
        covariance.observe(&activity)?;
        centroids.observe(&activity, &[t as usize % 2])?;
    }
    let s = usage.summary()?;
    let summary = [s.probability, s.spread, s.activity, s.entropy, s.gini, s.variation, s.dead, s.always];
    print(out, "instruments", "usage", &summary);
    print(out, "instruments", "codes", &[codes.bits()?, codes.distinct()?.value()]);
    let rank = covariance.effective_rank(&mut [0.0; MEMORY])?;
    print(out, "instruments", "covariance", &[covariance.participation_ratio()?, rank]);
    print(
        out,
        "instruments",
        "centroids",
        &[centroids.fisher_ratio()?, centroids.within(), centroids.between()],
    );
    Ok(())
}

/// A layer whose inputs drift, kept at its set point one sample at a time: presynaptic centering, then synaptic
/// scaling, the weights staying where they are.
#[inline(never)]
fn closed_loop(out: &mut impl Output) -> Result<(), Error> {
    const N: usize = 4;
    let mut centering = Centering::new([0.0f32; INPUTS], 1, 50.0)?;
    let mut scaling = SynapticScaling::new([0.0f32; N], [0.0; N], INPUTS, 1)?.with_tau(50.0)?;
    let mut weight = [[0.0f32; INPUTS]; N];
    for (w, i) in weight.as_flattened_mut().iter_mut().zip(0..) {
        *w = noise(i, 10) as f32;
    }
    let (mut x, mut centred, mut z) = ([0.0f32; INPUTS], [0.0f32; INPUTS], [0.0f32; N]);
    for t in 0..400u32 {
        // Half way, every sensor has twice the gain and another offset.
        let (gain, offset) = if t < 200 { (1.0, 0.5) } else { (2.0, -3.0) };
        for (x, i) in x.iter_mut().zip(0..) {
            *x = (gain * noise(t * INPUTS as u32 + i, 11) + offset) as f32;
        }
        centering.infer(&x, &mut centred)?;
        for (i, (z, w)) in z.iter_mut().zip(&weight).enumerate() {
            *z = scaling.gain(i) * sum::dot(w, &centred);
        }
        centering.observe(Seen { x: &x, y: &centred, activity: &z })?;
        scaling.observe(Seen { x: &centred, y: &z, activity: &z })?;
        if t % 100 == 99 {
            print(out, "closed-loop", "drive", &z);
            print(out, "closed-loop", "means", centering.mean());
        }
    }
    Ok(())
}
