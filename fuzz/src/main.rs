//! All targets in one program of libFuzzer; the environment says which one
//! runs.
#![no_main]

use std::{env, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use sensor_fuzz::targets::{ALL, Target};

/// The name of the target.
const VARIABLE: &str = "SENSOR_FUZZ_TARGET";

static CHOSEN: LazyLock<Target> = LazyLock::new(|| {
    let name = env::var(VARIABLE).unwrap_or_default();
    let found = ALL.iter().find(|(known, _)| *known == name);
    let Some((_, run)) = found else {
        panic!("{VARIABLE}={name} names no target");
    };
    *run
});

fuzz_target!(|bytes: &[u8]| CHOSEN(bytes));
