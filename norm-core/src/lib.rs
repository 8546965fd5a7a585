#![no_std]
#![doc = "Normalization and homeostatic plasticity."]
