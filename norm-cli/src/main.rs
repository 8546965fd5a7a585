#![doc = "The norm command."]
fn main() {}
