//! Foreign bytes for every part of the sensor that reads some. A target is a
//! function, so that the seeds are ordinary tests as well
//! (`tests/replay.rs`); `cargo xtask fuzz` runs them under libFuzzer.

pub mod targets;
