//! `sensor events`: every exec and exit, as it happens.

use std::{
    io::{self, BufWriter, StdoutLock, Write},
    time::{Duration, Instant},
};

use sensor_common::loss::Loss;
use serde_json::json;

use super::{
    hooks::{follow_tap, no_events},
    incidents::Incidents,
    logging,
    setup::{self, Selection, Stop, Wish},
};
use crate::{
    cli::EventsArgs,
    engine::{Publish, Stats},
    exit::Exit,
    export::HostResource,
    incident::record::{EVENT_NAME, Incident},
    output::{incident, json::EventLine, table, terminal},
    process::event::{ProcessEvent, What},
    pump::Pump,
    source::{
        capability,
        ebpf::{self, Kernel},
    },
    wait::{Waiter, Woken},
};

/// How events are written.
pub struct Printer<'a> {
    out: BufWriter<Stdout<'a>>,
    json: bool,
    width: Option<usize>,
    exec: u64,
    exit: u64,
}

impl Printer<'_> {
    /// Writes to standard output; for people, a head first.
    ///
    /// # Errors
    ///
    /// Where nobody reads any more.
    pub fn new(json: bool) -> io::Result<Self> {
        let mut out = BufWriter::new(Stdout(io::stdout().lock()));
        if !json {
            writeln!(out, "{}", table::EVENTS_HEAD)?;
            out.flush()?;
        }
        Ok(Self {
            out,
            json,
            width: terminal::width(),
            exec: 0,
            exit: 0,
        })
    }

    /// Writes events and empties the list.
    ///
    /// # Errors
    ///
    /// Where nobody reads any more.
    pub fn print(&mut self, events: &mut Vec<ProcessEvent>) -> io::Result<()> {
        for event in events.drain(..) {
            // What was concluded after a loss was not received (contract E4).
            match event.what {
                _ if event.inferred => {}
                What::Exec => self.exec += 1,
                What::Exit(_) => self.exit += 1,
            }
            if self.json {
                serde_json::to_writer(&mut self.out, &EventLine(&event))?;
                self.out.write_all(b"\n")?;
            } else {
                writeln!(self.out, "{}", table::event(&event, self.width))?;
            }
        }
        self.out.flush()
    }

    /// Writes incidents; they are in no number of the summary.
    ///
    /// # Errors
    ///
    /// Where nobody reads any more.
    pub fn tell(&mut self, incidents: &[Incident]) -> io::Result<()> {
        for incident in incidents {
            if self.json {
                // The same object as everywhere, called as in an export.
                let object = incident::json(incident);
                write!(self.out, r#"{{"event.name":"{EVENT_NAME}","#)?;
                self.out.write_all(object.get(1..).unwrap_or_default())?;
                self.out.write_all(b"\n")?;
            } else {
                writeln!(self.out, "{}", table::incident(incident, self.width))?;
            }
        }
        self.out.flush()
    }

    /// Writes the last line.
    ///
    /// # Errors
    ///
    /// Where nobody reads any more.
    pub fn summary(&mut self, stats: &Stats, loss: &Loss, lasted: Duration) -> io::Result<()> {
        let late = loss.late + stats.late;
        if self.json {
            let summary = json!({
                "event.name": "summary",
                "received": { "fork": stats.forks, "exec": self.exec, "exit": self.exit },
                "lost": { "fork": loss.fork, "exec": loss.exec, "exit": loss.exit, "late": late },
                "duration_ns": u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX),
            });
            writeln!(self.out, "{summary}")?;
        } else {
            let lost = loss.fork + loss.exec + loss.exit;
            let lost = match lost {
                0 => "nothing lost".to_owned(),
                _ => format!(
                    "lost {} forks, {} execs, {} exits",
                    loss.fork, loss.exec, loss.exit
                ),
            };
            writeln!(
                self.out,
                "{} execs, {} exits in {:.1} s; {lost}",
                self.exec,
                self.exit,
                lasted.as_secs_f64()
            )?;
        }
        self.out.flush()
    }
}

/// Standard output, whose faults say what they are of.
struct Stdout<'a>(StdoutLock<'a>);

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(setup::unwritten)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(setup::unwritten)
    }
}

/// Attaches, prints, detaches, sums up.
///
/// # Errors
///
/// What keeps it from starting. Without privilege the summary, all zeros, is
/// printed all the same.
pub fn run(args: &EventsArgs) -> Result<Exit, Stop> {
    let fault = |error: io::Error| Stop::new(Exit::Software, error.to_string());
    let _ = logging::start(tracing::Level::WARN, None);
    let config = setup::config(args.config.as_deref())?;
    let selection = Selection {
        dirs: args.plugins.clone(),
        names: args.plugin.clone(),
        verify: false,
    };
    let mut plugins = setup::plugins(&selection, &config)?;
    if args.plugin.is_empty() {
        // Everybody is shown, so the plugin that watches everybody says nothing.
        plugins.retain(|plugin| plugin.directory.is_some());
    }
    let ring_bytes = args.ring_bytes.unwrap_or(config.kernel.ring_bytes);
    let kernel = match Kernel::attach(ring_bytes) {
        Ok(kernel) => kernel,
        Err(error) => {
            let exit = match error.is_permission() || !capability::missing().is_empty() {
                true => Exit::NoPermission,
                false => Exit::Software,
            };
            let mut printer = Printer::new(args.json).map_err(fault)?;
            let none = (Stats::default(), Loss::default());
            printer
                .summary(&none.0, &none.1, Duration::ZERO)
                .map_err(fault)?;
            return Err(Stop::new(exit, no_events(&error)));
        }
    };
    let attached = kernel.began();
    let _ = capability::drop_unneeded(capability::maps_need_bpf());
    let wish = Wish {
        publish: match args.plugin.is_empty() {
            true => Publish::All,
            false => Publish::Watched,
        },
        incidents: config.incident.enabled && !plugins.is_empty(),
        interval: None,
    };
    let host = HostResource::detect();
    let (mut pump, _) = setup::pump(
        &plugins,
        &config,
        Some(kernel),
        Some(attached),
        &host,
        &wish,
    )?;
    follow_tap(&mut pump);
    let incidents = wish
        .incidents
        .then(|| Incidents::start(&config, &pump.engine))
        .transpose()?;
    stream(pump, incidents, args.json, args.duration).map_err(fault)?;
    Ok(Exit::Done)
}

/// Prints until a signal, the end of `duration`, or nobody reads any more.
///
/// # Errors
///
/// Where waiting or writing fails for another reason.
fn stream(
    mut pump: Pump,
    mut incidents: Option<Incidents>,
    json: bool,
    duration: Option<Duration>,
) -> io::Result<()> {
    let start = Instant::now();
    let end = duration.map(|duration| start + duration);
    let waiter = Waiter::new()?;
    if let Some(kernel) = &pump.kernel {
        use std::os::fd::AsFd;
        waiter.add_ring(kernel.as_fd())?;
    }
    let mut events = Vec::new();
    pump.scan(&mut events);
    let result = (|| {
        let mut printer = Printer::new(json)?;
        loop {
            pump.drain(&mut events);
            pump.reconcile_after_loss(&mut events);
            printer.print(&mut events)?;
            let mut deadline = pump.next_look();
            if let Some(incidents) = &mut incidents {
                incidents.take(&mut pump.engine);
                printer.tell(&incidents.made())?;
                if incidents.awaits() {
                    deadline = deadline.min(Instant::now() + ebpf::LOOK_EVERY);
                }
            }
            let deadline = end.map_or(deadline, |end| end.min(deadline));
            let woken = waiter.wait(deadline)?;
            if woken == Woken::End || end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
        }
        pump.finish(&mut events);
        printer.print(&mut events)?;
        if let Some(mut incidents) = incidents {
            incidents.take(&mut pump.engine);
            printer.tell(&incidents.finish())?;
        }
        printer.summary(&pump.engine.stats(), &pump.loss(), start.elapsed())
    })();
    match result {
        // A reader that has seen enough is no fault.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
