//! `sensor --run-once`: one look at /proc, without eBPF and without privilege.

use std::io::{self, Write};

use super::{
    collecting::Collecting,
    delivery::send_once,
    run::export,
    setup::{self, Stop, Wish},
};
use crate::{
    cli::{Output, RunArgs},
    engine::Publish,
    exit::Exit,
    export::HostResource,
    output::{json, table},
};

/// Scans, prints, and exports once where an endpoint is set.
///
/// # Errors
///
/// What keeps it from starting.
pub fn run(args: &RunArgs) -> Result<Exit, Stop> {
    let config = setup::config(args.config.as_deref())?;
    let export = export(args, &config)?;
    let plugins = setup::plugins(&args.into(), &config)?;
    let host = HostResource::detect();
    let wish = Wish {
        publish: Publish::Enabled,
        interval: args.interval,
    };
    let (mut pump, offset) = setup::pump(&plugins, &config, None, None, &host, &wish)?;
    let intervals = pump
        .engine
        .specs()
        .iter()
        .map(|spec| spec.interval)
        .collect::<Vec<_>>();
    let mut collecting = Collecting::new(intervals, offset);
    let mut report = collecting.collect_all(&mut pump, &mut Vec::new());
    report.services.retain(|service| service.process_count > 0);

    let printed = {
        let mut out = io::stdout().lock();
        match args.output.unwrap_or(Output::Text) {
            Output::Json => writeln!(out, "{}", json::report(&report, args.pids)),
            Output::Text if !report.services.is_empty() => {
                write!(out, "{}", table::report(&report))
            }
            Output::Text | Output::None => Ok(()),
        }
    };
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(Stop::new(Exit::Software, format!("cannot write: {error}")));
    }
    let mut unmatched = false;
    for pattern in pump.engine.unmatched() {
        unmatched = true;
        eprintln!("No processes found matching '{pattern}'");
    }
    if unmatched && report.services.is_empty() {
        eprintln!("Check the spelling with `ps -e`, and whether the process runs.");
    }
    if let Some(otlp) = export
        && let Err(failure) = send_once(&otlp, &host, &report)
    {
        eprintln!("{failure}");
        return Ok(Exit::Unavailable);
    }
    Ok(match report.services.is_empty() {
        true => Exit::Nothing,
        false => Exit::Done,
    })
}
