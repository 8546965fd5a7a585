//! From trained layers to steps.

use norm_core::model::format::flag;
use norm_core::neuron::SetPoint;
use norm_core::synapse::{Controller, Statistic};
use norm_core::{Form, Method, model};

use super::folded::Folded;
use super::graph::Graph;
use super::op::{Homeostasis, Op};
use super::refused;
use crate::layers::{NeuronsPiece, Piece, Wiring};
use crate::{Activation, Error, Network, Shape};

impl Graph {
    /// The steps of a network. With `live`, what goes on moving is kept apart.
    pub(super) fn from_network(network: &Network, live: bool) -> Result<Self, Error> {
        let folded = network.fold()?;
        let (mut ops, mut moves, mut taken, mut layer) = (Vec::new(), false, Vec::new(), 0);
        for (piece, folded) in network.pieces().into_iter().zip(folded.pieces()) {
            layer += usize::from(matches!(piece, Piece::Neurons(_)));
            match (piece, folded) {
                (Piece::Neurons(neurons), _) if live && is_homeostatic(&neurons) => {
                    moves = true;
                    living(&neurons, &mut ops)?;
                    taken.extend(neurons.on_weight.iter().map(|m| Folded::into_layer(m.info().name, layer)));
                }
                (before, Piece::Neurons(neurons)) => {
                    settled(&neurons, &mut ops)?;
                    if let Piece::Neurons(before) = before {
                        let left: Vec<_> = methods(&neurons).map(|m| m.info().name).collect();
                        let gone =
                            methods(&before).map(|m| m.info().name).filter(|name| !left.contains(name));
                        taken.extend(gone.map(|name| Folded::into_layer(name, layer)));
                    }
                }
                (_, Piece::MaxPool(geometry)) => ops.push(Op::Pool { geometry, max: true, bytes: false }),
                (_, Piece::AvgPool(geometry)) => ops.push(Op::Pool { geometry, max: false, bytes: false }),
                (_, Piece::Nothing) => {}
                (_, Piece::Other(what)) => return Err(refused(format!("it has {what}"))),
                (_, Piece::Residual { .. }) => {
                    let has = "it has a residual block, for which the format has no memory of two ways";
                    return Err(refused(format!("{has}; train a model without, such as mlp or lenet5")));
                }
            }
        }
        if live && !moves {
            let has = "it has neither synaptic scaling nor centering nor intrinsic plasticity";
            return Err(refused(format!("{has}, so nothing can go on moving; export it without --live")));
        }
        Ok(Self { input: network.input(), ops, folded: taken })
    }
}

fn methods<'a>(n: &'a NeuronsPiece<'_>) -> impl Iterator<Item = &'a dyn Method<f32>> {
    n.on_input.iter().chain(&n.on_weight).chain(&n.on_drive).copied()
}

fn is_homeostatic(neurons: &NeuronsPiece<'_>) -> bool {
    methods(neurons).filter_map(|m| m.form()).any(|form| form.is_homeostatic())
}

fn activation(f: Activation) -> model::Activation {
    match f {
        Activation::Relu => model::Activation::Relu,
        Activation::LeakyRelu => model::Activation::LeakyRelu,
        Activation::Tanh => model::Activation::Tanh,
        Activation::Sigmoid => model::Activation::Sigmoid,
        Activation::Gelu => model::Activation::Gelu,
        Activation::Silu => model::Activation::Silu,
        Activation::Elu => model::Activation::Elu,
        Activation::Identity => model::Activation::Identity,
    }
}

/// The connections, without a method.
fn connect(wiring: &Wiring, weight: Vec<f32>, bias: Vec<f32>, pad: Option<Vec<f32>>) -> Op {
    let f = model::Activation::Identity;
    match wiring {
        Wiring::Dense(dense) => Op::Dense { inputs: dense.inputs, bias, weight, f },
        Wiring::Conv2d(conv) => {
            let zeros = || vec![0.0; conv.geometry().input().channels];
            let own = || if conv.pad().is_empty() { zeros() } else { conv.pad().to_vec() };
            Op::Conv { geometry: *conv.geometry(), pad: pad.unwrap_or_else(own), bias, weight, f }
        }
    }
}

/// Neurons for inference, from which everything that can be was folded away.
fn settled(n: &NeuronsPiece<'_>, ops: &mut Vec<Op>) -> Result<(), Error> {
    if let Some(method) = n.on_input.first().or(n.on_weight.first()) {
        let name = method.info().name;
        return Err(refused(format!("{name} could not be folded into a layer's weights")));
    }
    ops.push(connect(n.wiring, n.weight.to_vec(), n.bias.to_vec(), None));
    let shape = n.wiring.output();
    for method in &n.on_drive {
        ops.push(drive(*method, shape)?);
    }
    fire(n, shape, ops)
}

/// What the neurons fire.
fn fire(n: &NeuronsPiece<'_>, shape: Shape, ops: &mut Vec<Op>) -> Result<(), Error> {
    match n.firing {
        Some(method) => ops.push(drive(method, shape)?),
        None if n.activation == Activation::Identity => {}
        None => ops.push(Op::Activation { len: shape.len(), f: activation(n.activation) }),
    }
    Ok(())
}

/// A method of the drive as a step of its own.
fn drive(method: &dyn Method<f32>, shape: Shape) -> Result<Op, Error> {
    let f = model::Activation::Identity;
    Ok(match method.form() {
        Some(Form::LayerNorm { weight, bias, eps }) => {
            Op::LayerNorm { eps, weight: weight.to_vec(), bias: bias.to_vec(), f }
        }
        Some(Form::RmsNorm { weight, eps }) => Op::RmsNorm { eps, weight: weight.to_vec(), f },
        Some(Form::GroupNorm { weight, bias, groups, length, eps }) => {
            Op::GroupNorm { length, groups, eps, weight: weight.to_vec(), bias: bias.to_vec(), f }
        }
        Some(Form::Divisive { channels, length, exponent, sigma, gamma }) => {
            Op::Divisive { channels, length, exponent, sigma, gamma, f }
        }
        Some(Form::KWinners { neurons, length, k }) => Op::KWinners { neurons, length, k },
        Some(Form::Selu) => Op::Activation { len: shape.len(), f: model::Activation::Selu },
        _ => match method.as_fold() {
            // What stands behind a method that cannot be folded: an affine map of each neuron, read off a weight of 1.
            Some(fold) => {
                let (mut scale, mut shift) = (vec![1.0; shape.channels], vec![0.0; shape.channels]);
                fold.fold(&mut scale, &mut shift).map_err(Error::method(method.info().name))?;
                Op::Affine { length: shape.positions(), scale, shift, f }
            }
            None => {
                let name = method.info().name;
                return Err(refused(format!("the format has no step for the method {name}")));
            }
        },
    })
}

/// Neurons whose gains, centres and thresholds go on moving.
fn living(n: &NeuronsPiece<'_>, ops: &mut Vec<Op>) -> Result<(), Error> {
    let (shape, mut weight) = (n.wiring.output(), n.weight.to_vec());
    let neurons = n.bias.len();
    let mut h = Homeostasis {
        length: shape.positions(),
        f: model::Activation::Identity,
        flags: 0,
        target: 1.0,
        tau_center: 1000.0,
        seen_center: 0.0,
        tau_gain: 1000.0,
        seen_gain: 0.0,
        threshold_rate: 0.0,
        threshold_target: 0.0,
        center: vec![0.0; neurons],
        bias: n.bias.to_vec(),
        threshold: vec![0.0; neurons],
    };
    let cannot = |name: &str, why: &str| {
        Err(refused(format!("{name} {why}, which the device cannot move; export it without --live")))
    };
    for method in &n.on_weight {
        let name = method.info().name;
        match method.form() {
            Some(Form::SynapticScaling { target, tau, seen, statistic, controller, frozen, .. }) => {
                if statistic != Statistic::Rms || controller != Controller::Log {
                    return cannot(name, "has another statistic or controller than its defaults");
                }
                if h.tau_gain_is_set() {
                    return cannot(name, "stands twice in one layer");
                }
                (h.target, h.tau_gain, h.seen_gain) = (target, tau, seen);
                h.flags |= if frozen { 0 } else { flag::GAIN };
            }
            _ if h.flags & flag::GAIN != 0 => return cannot(name, "stands behind synaptic scaling"),
            _ => {}
        }
        match method.as_fold() {
            Some(fold) => fold.fold(&mut weight, &mut h.bias).map_err(Error::method(name))?,
            None => return cannot(name, "is no fixed map of weights"),
        }
    }
    let mut pad = match n.wiring {
        Wiring::Dense(_) => None,
        Wiring::Conv2d(conv) => Some(vec![0.0; conv.geometry().input().channels]),
    };
    for (i, method) in n.on_input.iter().enumerate() {
        let name = method.info().name;
        match method.form() {
            Some(Form::Centering { tau, seen, frozen, .. }) if i == 0 => {
                (h.tau_center, h.seen_center) = (tau, seen);
                h.flags |= if frozen { 0 } else { flag::CENTER };
            }
            _ => return cannot(name, "stands before the synapses"),
        }
        let Some(fold) = method.as_fold() else { return cannot(name, "cannot be folded") };
        // −W m is what centering adds to a bias of 0.
        fold.fold(&mut weight, &mut h.center).map_err(Error::method(name))?;
        h.center.iter_mut().for_each(|c| *c = -*c);
        if let Some(pad) = &mut pad {
            fold.fold_padding(pad).map_err(Error::method(name))?;
        }
    }
    for (i, method) in n.on_drive.iter().enumerate() {
        let name = method.info().name;
        match method.form() {
            Some(Form::IntrinsicPlasticity { threshold, target, rate, set_point }) if i == 0 => {
                h.threshold = threshold.to_vec();
                (h.threshold_target, h.threshold_rate) = (target, rate);
                h.flags |= match set_point {
                    SetPoint::Probability => flag::THRESHOLD,
                    SetPoint::Mean => flag::MEAN,
                };
            }
            _ => return cannot(name, "acts on the drive beside homeostasis"),
        }
    }
    if h.flags & flag::MEAN != 0 && n.firing.is_some() {
        return cannot("the set point of mean activity", "is of a method's activity");
    }
    ops.push(connect(n.wiring, weight, vec![0.0; neurons], pad));
    if n.firing.is_none() {
        h.f = activation(n.activation);
    }
    ops.push(Op::Homeostasis(h));
    if n.firing.is_some() { fire(n, shape, ops) } else { Ok(()) }
}

impl Homeostasis {
    fn tau_gain_is_set(&self) -> bool {
        self.flags & flag::GAIN != 0
    }
}
