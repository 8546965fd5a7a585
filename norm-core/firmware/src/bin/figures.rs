//! Prints how many instructions and how many bytes of stack kernels and networks take, and instructions of the same in C. The
//! emulator must count them: `-icount shift=8`. `table.sh` makes the table of it.

#![no_std]
#![no_main]

use core::hint::black_box;

use norm_core::include_model;
use norm_core::model::format::kind;
use norm_core::model::{Model, kinds_of, shape_of, state_of, work_of};
use norm_firmware::assemble::Assembly;
use norm_firmware::host::measure::{Counter, stack};
use norm_firmware::networks::{self, Failure};
use norm_firmware::{Output, number};

norm_firmware::program!(workload);

fn workload(out: &mut impl Output) -> Result<(), Failure> {
    let counter = Counter::new();
    kernels(out, &counter)?;
    #[cfg(feature = "digits")]
    digits(out, &counter)?;
    #[cfg(feature = "gas")]
    gas(out, &counter)?;
    Ok(())
}

#[cfg(feature = "digits")]
#[inline(never)]
fn digits(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    network!(out, counter, "digits f32", include_model!("../../models/digits.norm"), networks::digit);
    network!(out, counter, "digits int8", include_model!("../../models/digits-int8.norm"), networks::digit);
    living!(
        out,
        counter,
        "digits live f32",
        include_model!("../../models/digits-live.norm"),
        networks::digit
    );
    living!(
        out,
        counter,
        "digits live int8",
        include_model!("../../models/digits-live-int8.norm"),
        networks::digit
    );
    Ok(())
}

#[cfg(feature = "gas")]
#[inline(never)]
fn gas(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    living!(out, counter, "gas live f32", include_model!("../../models/gas-live.norm"), networks::gas_row);
    living!(
        out,
        counter,
        "gas live int8",
        include_model!("../../models/gas-live-int8.norm"),
        networks::gas_row
    );
    Ok(())
}

fn line(out: &mut impl Output, words: &[&str], values: &[u32]) {
    for word in words {
        out.text(word.as_bytes());
        out.text(b" ");
    }
    for &value in values {
        number(out, value);
        out.text(b" ");
    }
    out.text(b"\n");
}

/// Instructions and stack of inference.
#[cfg(feature = "digits")]
macro_rules! network {
    ($out:expr, $counter:expr, $name:expr, $file:expr, $row:expr) => {{
        const FILE: &[u8] = $file;
        let model = Model::<{ kinds_of(FILE) }>::load(FILE)?;
        let (mut work, mut y) = ([0.0; work_of(FILE)], [0.0; shape_of(FILE).1]);
        let x: [f32; shape_of(FILE).0] = $row(40);
        let mut run = || _ = black_box(model.run(black_box(&x), &mut work, &mut y));
        let instructions = $counter.instructions(&mut run);
        line($out, &[$name, "run"], &[instructions, stack(run) as u32]);
    }};
}
#[cfg(feature = "digits")]
use network;

/// Of inference with gains and thresholds that move, and of moving them.
macro_rules! living {
    ($out:expr, $counter:expr, $name:expr, $file:expr, $row:expr) => {{
        const FILE: &[u8] = $file;
        let model = Model::<{ kinds_of(FILE) }>::load(FILE)?;
        let (mut work, mut y) = ([0.0; work_of(FILE)], [0.0; shape_of(FILE).1]);
        let x: [f32; shape_of(FILE).0] = $row(40);
        let mut state = [0.0; state_of(FILE)];
        model.start(&mut state)?;
        // Some rows, so that the state is no longer where it started.
        for at in 0..40 {
            model.run_live(&$row(at), &mut work, &mut y, &mut state)?;
            model.observe(&mut state)?;
        }
        let mut run = || _ = black_box(model.run(black_box(&x), &mut work, &mut y));
        line($out, &[$name, "run"], &[$counter.instructions(&mut run), stack(run) as u32]);
        let mut run = || _ = black_box(model.run_live(black_box(&x), &mut work, &mut y, &mut state));
        line($out, &[$name, "run-live"], &[$counter.instructions(&mut run), stack(run) as u32]);
        let mut update = || _ = black_box(model.observe(black_box(&mut state)));
        let instructions = $counter.instructions(&mut update);
        model.run_live(&x, &mut work, &mut y, &mut state)?;
        let update = || _ = black_box(model.observe(black_box(&mut state)));
        line($out, &[$name, "observe"], &[instructions, stack(update) as u32]);
    }};
}
use living;

const INPUTS: usize = 64;
const NEURONS: usize = 32;
const ROW: usize = 128;
/// Image channels, its side, the kernel's, channels out.
const CONV: [usize; 4] = [2, 8, 3, 8];
const PLACES: usize = (CONV[1] - CONV[2] + 1) * (CONV[1] - CONV[2] + 1);
const IMAGE: usize = CONV[0] * CONV[1] * CONV[1];
const TAPS: usize = CONV[3] * CONV[0] * CONV[2] * CONV[2];
const SHIFT: u32 = 38;

/// What the kernels are given.
fn input() -> [f32; ROW] {
    core::array::from_fn(|i| (i * 37 % 64) as f32 / 64.0)
}

/// One step between others each, as a network has it; each with memory of its own.
fn kernels(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    layer_norm(out, counter)?;
    dense_f32(out, counter)?;
    dense_int8(out, counter)?;
    conv_f32(out, counter)?;
    conv_int8(out, counter)
}

/// Of a row.
#[inline(never)]
fn layer_norm(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    let x = input();
    let mut file = Assembly::<{ 40 + 2 * ROW }>::new();
    file.step(kind::ACTIVATION, &[ROW as u32, 0]);
    file.step(kind::LAYER_NORM, &[ROW as u32, 1e-5f32.to_bits(), 0])
        .floats(ROW, 1.0, 0.5)
        .floats(ROW, 0.0, 0.5);
    let mut y = [0.0; ROW];
    let file = file.file(ROW, ROW, ROW, 0);
    let used = step::<{ 1 << kind::ACTIVATION | 1 << kind::LAYER_NORM }>(counter, file, &x, &mut y)?;
    line(out, &["layer-norm-128 rust"], &[used]);
    #[cfg(feature = "c")]
    {
        let mut z = [0.0; ROW];
        let arrays = floats(file, 10 + 4 + 5);
        let (weight, bias) = arrays.split_at_checked(ROW).unwrap_or_default();
        let used = counter.instructions(|| {
            // SAFETY: slices of the lengths that it is told.
            unsafe {
                c::c_layer_norm(ROW as i32, x.as_ptr(), weight.as_ptr(), bias.as_ptr(), 1e-5, z.as_mut_ptr())
            }
        });
        line(out, &["layer-norm-128 c"], &[used, u32::from(near(&y, &z))]);
    }
    Ok(())
}

/// Of floats.
#[inline(never)]
fn dense_f32(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    let x = input();
    let (inputs, neurons) = (INPUTS as u32, NEURONS as u32);
    let x64 = &x[..INPUTS];
    let mut file = Assembly::<{ 40 + NEURONS + NEURONS * INPUTS }>::new();
    file.step(kind::ACTIVATION, &[inputs, 0]);
    file.step(kind::DENSE, &[inputs, neurons, 1]).floats(NEURONS, 0.0, 0.1).floats(
        NEURONS * INPUTS,
        0.0,
        0.2,
    );
    let file = file.file(INPUTS, NEURONS, INPUTS, 0);
    let mut y = [0.0; NEURONS];
    let used = step::<{ 1 << kind::ACTIVATION | 1 << kind::DENSE }>(counter, file, x64, &mut y)?;
    line(out, &["dense-64x32-f32 rust"], &[used]);
    #[cfg(feature = "c")]
    {
        let mut z = [0.0; NEURONS];
        let arrays = floats(file, 10 + 4 + 5);
        let (bias, weight) = arrays.split_at_checked(NEURONS).unwrap_or_default();
        let (inputs, neurons) = (INPUTS as i32, NEURONS as i32);
        let used = counter.instructions(|| {
            // SAFETY: as above.
            unsafe {
                c::c_dense(inputs, neurons, x64.as_ptr(), weight.as_ptr(), bias.as_ptr(), z.as_mut_ptr())
            }
        });
        line(out, &["dense-64x32-f32 c"], &[used, u32::from(near(&y, &z))]);
    }
    Ok(())
}

/// Of bytes.
#[inline(never)]
fn dense_int8(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    let x = input();
    let (inputs, neurons) = (INPUTS as u32, NEURONS as u32);
    let x64 = &x[..INPUTS];
    let (one, mut y) = (1.0f32.to_bits(), [0.0; NEURONS]);
    let mut file = Assembly::<{ 60 + 2 * INPUTS + 2 * NEURONS + NEURONS * INPUTS / 4 }>::new();
    file.step(kind::QUANTIZE, &[inputs, 1]).floats(INPUTS, 100.0, 0.0).floats(INPUTS, 0.0, 0.0);
    file.step(kind::DENSE_I8, &[inputs, neurons, SHIFT, 0, -128i32 as u32, 127])
        .integers(NEURONS, -50, 100)
        .integers(NEURONS, 1 << 28, 1 << 28)
        .bytes(NEURONS * INPUTS);
    file.step(kind::DEQUANTIZE, &[neurons, one, 0, 0]);
    const I8: u32 = 1 << kind::QUANTIZE | 1 << kind::DENSE_I8 | 1 << kind::DEQUANTIZE;
    let file = file.file(INPUTS, NEURONS, (INPUTS + NEURONS) / 4, 0);
    let used = step::<I8>(counter, file, x64, &mut y)?;
    line(out, &["dense-64x32-int8 rust"], &[used]);
    #[cfg(feature = "microflow")]
    microflow_dense(out, counter, x64, words(file, 10 + 4 + 2 * INPUTS + 8 + 2 * NEURONS));
    #[cfg(feature = "c")]
    {
        let mut z = [0i8; NEURONS];
        let q: [i8; INPUTS] = core::array::from_fn(|i| rounded(100.0 * x64[i]));
        let arrays = words(file, 10 + 4 + 2 * INPUTS + 8);
        let (bias, rest) = arrays.split_at_checked(NEURONS).unwrap_or_default();
        let (multiplier, weight) = rest.split_at_checked(NEURONS).unwrap_or_default();
        let used = counter.instructions(|| {
            // SAFETY: as above.
            unsafe {
                c::c_dense_i8(
                    INPUTS as i32,
                    NEURONS as i32,
                    q.as_ptr(),
                    weight.as_ptr().cast(),
                    bias.as_ptr().cast(),
                    multiplier.as_ptr().cast(),
                    SHIFT as i32,
                    0,
                    -128,
                    127,
                    z.as_mut_ptr(),
                )
            }
        });
        let same = y.iter().zip(z).all(|(&y, z)| y == f32::from(z));
        line(out, &["dense-64x32-int8 c"], &[used, u32::from(same)]);
        #[cfg(feature = "cmsis")]
        {
            // Rounds at the same place.
            let shift = [31 - SHIFT as i32; NEURONS];
            let used = counter.instructions(|| {
                // SAFETY: as above; nothing was added up before, and no value has an offset.
                unsafe {
                    c::arm_nn_vec_mat_mult_t_per_ch_s8(
                        q.as_ptr(),
                        weight.as_ptr().cast(),
                        core::ptr::null(),
                        bias.as_ptr().cast(),
                        z.as_mut_ptr(),
                        0,
                        0,
                        multiplier.as_ptr().cast(),
                        shift.as_ptr(),
                        INPUTS as i32,
                        NEURONS as i32,
                        -128,
                        127,
                        1,
                        0,
                    )
                };
            });
            let same = y.iter().zip(z).all(|(&y, z)| y == f32::from(z));
            line(out, &["dense-64x32-int8 cmsis"], &[used, u32::from(same)]);
        }
    }
    Ok(())
}

/// microflow's, of the same sizes and weights; it scales by one factor for all neurons, in floats.
#[cfg(feature = "microflow")]
#[inline(never)]
fn microflow_dense(out: &mut impl Output, counter: &Counter, x: &[f32], weight: &[u32]) {
    use microflow::activation::FusedActivation;
    use microflow::ops::{FullyConnectedOptions, fully_connected};
    use microflow::tensor::Tensor2D;
    let row: &[i8] = bytemuck::cast_slice(weight);
    let of = |i: usize, j: usize| row.get(j * INPUTS + i).copied().unwrap_or(0);
    let weights: Tensor2D<i8, INPUTS, NEURONS, 1> =
        Tensor2D::new(nalgebra::SMatrix::from_fn(of), [0.01], [0]);
    let value = |_, j: usize| (100.0 * x.get(j).copied().unwrap_or(0.0)) as i8;
    let input: Tensor2D<i8, 1, INPUTS, 1> =
        black_box(Tensor2D::new(nalgebra::SMatrix::from_fn(value), [0.01], [0]));
    let mut y = None;
    let used = counter.instructions(|| {
        y = Some(fully_connected(
            input,
            &weights,
            [0.01],
            [0],
            FullyConnectedOptions { fused_activation: FusedActivation::None },
            (nalgebra::SMatrix::zeros(), 1e-3, nalgebra::SMatrix::zeros(), 0),
        ));
    });
    black_box(&y);
    line(out, &["dense-64x32-int8 microflow"], &[used]);
}

/// Of floats.
#[inline(never)]
fn conv_f32(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    let x = input();
    let [channels, side, kernel, channels_out] = CONV;
    let window = [channels, side, side, kernel, kernel, 1, 1, 0, 0, channels_out].map(|n| n as u32);
    let mut file = Assembly::<{ 60 + CONV[0] + CONV[3] + TAPS }>::new();
    file.step(kind::ACTIVATION, &[IMAGE as u32, 0]);
    file.step(kind::CONV, &window).fields(&[1]).floats(channels, 0.0, 0.0);
    file.floats(channels_out, 0.0, 0.1).floats(TAPS, 0.0, 0.2);
    let file = file.file(IMAGE, channels_out * PLACES, IMAGE, 0);
    let mut y = [0.0; CONV[3] * PLACES];
    let used = step::<{ 1 << kind::ACTIVATION | 1 << kind::CONV }>(counter, file, &x[..IMAGE], &mut y)?;
    line(out, &["conv-2x8x8-8x3x3-f32 rust"], &[used]);
    #[cfg(feature = "c")]
    {
        let mut z = [0.0; CONV[3] * PLACES];
        let arrays = floats(file, 10 + 4 + 2 + 11 + channels);
        let (bias, weight) = arrays.split_at_checked(channels_out).unwrap_or_default();
        let [a, b, c, d] = CONV.map(|n| n as i32);
        let used = counter.instructions(|| {
            // SAFETY: as above.
            unsafe { c::c_conv(a, b, c, d, x.as_ptr(), weight.as_ptr(), bias.as_ptr(), z.as_mut_ptr()) }
        });
        line(out, &["conv-2x8x8-8x3x3-f32 c"], &[used, u32::from(near(&y, &z))]);
    }
    Ok(())
}

/// Of bytes.
#[inline(never)]
fn conv_int8(out: &mut impl Output, counter: &Counter) -> Result<(), Failure> {
    let x = input();
    let [channels, side, kernel, channels_out] = CONV;
    let window = [channels, side, side, kernel, kernel, 1, 1, 0, 0, channels_out].map(|n| n as u32);
    let (one, mut y) = (1.0f32.to_bits(), [0.0; CONV[3] * PLACES]);
    let mut file = Assembly::<{ 80 + CONV[0] + 2 * CONV[3] + TAPS / 4 }>::new();
    file.step(kind::QUANTIZE, &[1, IMAGE as u32]).floats(1, 100.0, 0.0).floats(1, 0.0, 0.0);
    file.step(kind::CONV_I8, &window).fields(&[SHIFT, 0, 0, 127]).fields(&[0]);
    file.integers(channels_out, -50, 100).integers(channels_out, 1 << 28, 1 << 28).bytes(TAPS);
    file.step(kind::DEQUANTIZE, &[(channels_out * PLACES) as u32, one, 0, 0]);
    const CONV_I8: u32 = 1 << kind::QUANTIZE | 1 << kind::CONV_I8 | 1 << kind::DEQUANTIZE;
    let file = file.file(IMAGE, channels_out * PLACES, (IMAGE + channels_out * PLACES) / 4, 0);
    let used = step::<CONV_I8>(counter, file, &x[..IMAGE], &mut y)?;
    line(out, &["conv-2x8x8-8x3x3-int8 rust"], &[used]);
    #[cfg(feature = "c")]
    {
        let mut z = [0i8; CONV[3] * PLACES];
        let q: [i8; IMAGE] = core::array::from_fn(|i| rounded(100.0 * x[i]));
        let arrays = words(file, 10 + 6 + 2 + 14 + 1);
        let (bias, rest) = arrays.split_at_checked(channels_out).unwrap_or_default();
        let (multiplier, weight) = rest.split_at_checked(channels_out).unwrap_or_default();
        let [a, b, c, d] = CONV.map(|n| n as i32);
        let used = counter.instructions(|| {
            // SAFETY: as above.
            unsafe {
                c::c_conv_i8(
                    a,
                    b,
                    c,
                    d,
                    q.as_ptr(),
                    weight.as_ptr().cast(),
                    bias.as_ptr().cast(),
                    multiplier.as_ptr().cast(),
                    SHIFT as i32,
                    0,
                    0,
                    127,
                    z.as_mut_ptr(),
                )
            }
        });
        let same = y.iter().zip(z).all(|(&y, z)| y == f32::from(z));
        line(out, &["conv-2x8x8-8x3x3-int8 c"], &[used, u32::from(same)]);
    }
    Ok(())
}

/// Instructions of the second step of a file.
#[inline(never)]
fn step<const KINDS: u32>(counter: &Counter, file: &[u8], x: &[f32], y: &mut [f32]) -> Result<u32, Failure> {
    let model = Model::<KINDS>::load(black_box(file))?;
    let mut work = [0.0; CONV[3] * PLACES + IMAGE];
    let mut times = [0; 3];
    model.run_probed(black_box(x), &mut work, y, |at, _| {
        let now = counter.now();
        times.get_mut(at).into_iter().for_each(|time| *time = now);
    })?;
    Ok(counter.since(times[0], times[1]))
}

#[cfg(any(feature = "c", feature = "microflow"))]
fn words(file: &[u8], from: usize) -> &[u32] {
    bytemuck::try_cast_slice::<u8, u32>(file).ok().and_then(|words| words.get(from..)).unwrap_or(&[])
}

#[cfg(feature = "c")]
fn floats(file: &[u8], from: usize) -> &[f32] {
    bytemuck::try_cast_slice(words(file, from)).unwrap_or(&[])
}

#[cfg(feature = "c")]
fn near(y: &[f32], z: &[f32]) -> bool {
    y.iter().zip(z).all(|(y, z)| {
        let off = if y > z { y - z } else { z - y };
        off < 1e-4
    })
}

#[cfg(feature = "c")]
fn rounded(x: f32) -> i8 {
    let down = x as i32;
    let (rest, odd) = (x - down as f32, down & 1);
    (if rest > 0.5 || (rest == 0.5 && odd == 1) { down + 1 } else { down }) as i8
}

#[cfg(feature = "c")]
mod c {
    unsafe extern "C" {
        pub(crate) fn c_layer_norm(
            n: i32,
            x: *const f32,
            weight: *const f32,
            bias: *const f32,
            eps: f32,
            y: *mut f32,
        );
        pub(crate) fn c_dense(
            inputs: i32,
            neurons: i32,
            x: *const f32,
            weight: *const f32,
            bias: *const f32,
            y: *mut f32,
        );
        pub(crate) fn c_dense_i8(
            inputs: i32,
            neurons: i32,
            x: *const i8,
            weight: *const i8,
            bias: *const i32,
            multiplier: *const i32,
            shift: i32,
            zero: i32,
            low: i32,
            high: i32,
            y: *mut i8,
        );
        pub(crate) fn c_conv(
            channels: i32,
            size: i32,
            kernel: i32,
            out: i32,
            x: *const f32,
            weight: *const f32,
            bias: *const f32,
            y: *mut f32,
        );
        #[cfg(feature = "cmsis")]
        pub(crate) fn arm_nn_vec_mat_mult_t_per_ch_s8(
            x: *const i8,
            weight: *const i8,
            weight_sums: *const i32,
            bias: *const i32,
            y: *mut i8,
            x_offset: i32,
            y_offset: i32,
            multiplier: *const i32,
            shift: *const i32,
            inputs: i32,
            neurons: i32,
            low: i32,
            high: i32,
            stride: i32,
            weight_offset: i32,
        ) -> i32;
        pub(crate) fn c_conv_i8(
            channels: i32,
            size: i32,
            kernel: i32,
            out: i32,
            x: *const i8,
            weight: *const i8,
            bias: *const i32,
            multiplier: *const i32,
            shift: i32,
            zero: i32,
            low: i32,
            high: i32,
            y: *mut i8,
        );
    }
}
