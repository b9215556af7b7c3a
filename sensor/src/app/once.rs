//! `sensor --run-once`: one look at /proc, without eBPF and without privilege.

use std::io::{self, Write};

use super::{
    collecting::Collecting,
    delivery::send_once,
    keeping::Memory,
    run::export,
    setup::{self, Stop, Wish},
};
use crate::{
    cli::{Output, RunArgs},
    engine::Publish,
    exit::Exit,
    export::HostResource,
    output::{json, table},
    procfs::mount,
};

/// Scans, prints, and exports once where an endpoint is set.
///
/// # Errors
///
/// What keeps it from starting.
pub fn run(args: &RunArgs) -> Result<Exit, Stop> {
    if !mount::shows_processes() {
        let line = "/proc shows no process, so there is nothing to look at; mount /proc";
        return Err(Stop::new(Exit::Unavailable, line));
    }
    let config = setup::config(args.config.as_deref())?;
    let export = export(args, &config)?;
    let plugins = setup::plugins(&args.into(), &config)?;
    let mut host = HostResource::detect();
    let wish = Wish {
        incidents: false,
        publish: Publish::Enabled,
        interval: args.interval,
    };
    let (mut pump, offset) = setup::pump(&plugins, &config, None, None, &host, &wish)?;
    let mut memory = Memory::look(args, &config)?;
    let seen = memory.remind_identities(&mut pump.engine, &mut host);
    let intervals = pump
        .engine
        .specs()
        .iter()
        .map(|spec| spec.interval)
        .collect::<Vec<_>>();
    let mut collecting = Collecting::new(intervals, offset, config.limits.collection);
    let mut report = collecting.collect_all(&mut pump, &mut Vec::new());
    report.services.retain(|service| {
        service.process_count > 0 || seen.contains(&service.identity.instance_id)
    });

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
    let nothing = report
        .services
        .iter()
        .all(|service| service.process_count == 0);
    if unmatched && nothing {
        eprintln!("Check the spelling with `ps -e`, and whether the process runs.");
    }
    let sent = export.map_or(Ok(()), |otlp| send_once(&otlp, &host, &report));
    let kept = memory.keep(&report, &host, sent.is_err());
    if let Err(failure) = sent {
        eprintln!("{failure}");
        if kept {
            eprintln!("The figures are kept in the store; `sensor run` on it delivers them.");
        }
        return Ok(Exit::Unavailable);
    }
    Ok(match nothing {
        true => Exit::Nothing,
        false => Exit::Done,
    })
}
