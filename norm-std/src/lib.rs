#![doc = "Training with any normalizer."]
