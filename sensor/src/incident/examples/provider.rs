//! `limits`: how many files the process may open.

use std::{collections::BTreeMap, fs, time::Duration};

use crate::{
    incident::context::{Cache, Case, Cost, Facts, Kind},
    process::event::Value,
};

/// The provider.
pub static KIND: Kind = Kind {
    name: "limits",
    // Files of the kernel never wait. With `Cost::UpTo(Duration)` it would
    // run on a thread of its own and be given up after that time.
    cost: Cost::Nothing,
    cache: Cache::Process(Duration::from_secs(60)),
    gather,
};

fn gather(case: &Case) -> Result<Facts, String> {
    // Nothing is known of a process that is gone: absent, and no error.
    let Some(process) = &case.process else {
        return Ok(Facts::new());
    };
    let path = format!("/proc/{}/limits", process.pid);
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(Facts::new());
    };
    let files = open_files(&text).ok_or("the file is not as expected")?;
    Ok(BTreeMap::from([(
        "open_files".to_owned(),
        Value::Int(files),
    )]))
}

/// Pure, so that a fixture can test it.
fn open_files(text: &str) -> Option<i64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
