//! `sensor run`: the daemon.

mod figures;
mod pinning;
mod receiving;
mod reloading;
mod supervisor;

use std::{
    io::{self, Write},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use self::{
    figures::figures,
    pinning::Attached,
    receiving::Receiving,
    reloading::{Cause, watch},
    supervisor::Supervisor,
};
use super::{
    collecting::Collecting,
    delivery::{self, Delivery},
    hooks::{count_costs, follow_scheduler, follow_tap, no_events},
    incidents,
    keeping::{self, Memory, Unclaimed, Ways},
    logging, memory,
    reload::Plugins,
    setup::{self, Stop, Wish},
};
use crate::{
    aggregate::report::Report,
    cli::{Output, RunArgs},
    config::{Config, EbpfMode, Environment, ExportFlags, export_settings},
    engine::Publish,
    exit::Exit,
    export::{HostResource, Interval, Keeper, otlp::Otlp},
    incident::{stage::Stage, transport::Outlet},
    output::{json, table},
    privilege,
    process::event::ProcessEvent,
    procfs::allow_descriptors,
    pump::Pump,
    receiver::Received,
    selfmon::Telemetry,
    source::{capability, ebpf::Kernel},
    wait::{Waiter, Woken},
    watch::Watch,
};

/// How long an event may wait to be written, and sent after that, where
/// nothing is collected for longer.
const LONGEST_UNWRITTEN: Duration = Duration::from_secs(60);
/// How long the last delivery may take (contract Q6).
const LAST_DELIVERY: Duration = Duration::from_secs(5);

/// Runs until a signal or the end of `--duration`.
///
/// # Errors
///
/// What keeps it from starting, or a fault of the system.
pub fn run(args: &RunArgs) -> Result<Exit, Stop> {
    let mut config = setup::config(args.config.as_deref())?;
    let export = export(args, &config)?;
    let file = args.config.as_deref();
    // They compare the file with what it was, so they have it without flags.
    let plugins = Plugins::load(args.into(), file, &config)?;
    if let Some(bytes) = args.queue_max_bytes {
        config.queue.max_bytes = bytes;
    }
    let mut memory = Memory::open(args, &config)?;
    let attached = attach(args, &config, &memory)?;
    let goes_on = attached.as_ref().is_some_and(|attached| attached.found);
    let mut kernel = attached.map(|attached| attached.kernel);
    count_costs(kernel.as_mut(), &config);
    let began = kernel.as_ref().map(Kernel::began);
    let listeners = receiving::bind(&config);
    privilege::give_up(kernel.is_some());
    let mut host = HostResource::detect();
    let wish = Wish {
        publish: Publish::Enabled,
        // Only hooks see how a process ends.
        incidents: config.incident.enabled && kernel.is_some(),
        interval: args.interval,
    };
    allow_descriptors();
    let (mut pump, offset) = setup::pump(plugins.current(), &config, kernel, began, &host, &wish)?;
    let unclaimed = memory.remind(&mut pump.engine, &mut host);
    follow_scheduler(&mut pump);
    follow_tap(&mut pump);
    let waiter = Waiter::new().map_err(fault)?;
    if let Some(kernel) = &pump.kernel {
        waiter.add_ring(kernel.as_fd()).map_err(fault)?;
    }
    let watch = watch(&plugins, &waiter);
    let positions = std::mem::take(&mut memory.logs);
    let exporting = export.is_some();
    let (Ways { delivery, outlet }, keeper) = memory.start(|waiting| {
        let outlet = (wish.incidents || listeners.is_some())
            .then(|| incidents::outlet(&config, export.clone(), host.clone(), waiting.as_ref()))
            .transpose()?;
        let delivery = export
            .map(|otlp| Delivery::start(otlp, &config, host.clone(), waiting))
            .transpose()?;
        Ok(Ways { delivery, outlet })
    })?;
    let telemetry = delivery
        .as_ref()
        .filter(|_| config.telemetry.enabled)
        .map(|delivery| {
            let interval = args.interval.unwrap_or(config.interval);
            Telemetry::start(delivery.exporter.clone(), &host, interval)
        });
    let mourning = outlet
        .as_ref()
        .map(|outlet| {
            let sink = incidents::sending(outlet.clone(), pump.engine.scrubber());
            let incident = &config.incident;
            let (window, context) = (Some(incident.window), &incident.context);
            incidents::start(&config, window, context, positions, sink)
        })
        .transpose()?;
    let receiving = listeners
        .zip(mourning.as_ref())
        .map(|(listeners, stage)| Receiving::start(listeners, &config, stage, &waiter))
        .transpose()
        .map_err(fault)?;
    let daemon = Daemon {
        supervisor: Supervisor::of_environment(),
        receiving,
        received: None,
        mourning,
        outlet,
        collecting: Collecting::new(intervals(&pump), offset, config.limits.collection),
        pump,
        plugins,
        watch,
        wish,
        delivery,
        keeper,
        unclaimed,
        host,
        telemetry,
        output: args.output.unwrap_or(match exporting {
            true => Output::None,
            false => Output::Text,
        }),
        pids: args.pids,
        end: args.duration.map(|duration| Instant::now() + duration),
        warned_denied: false,
        write_due: None,
        goes_on,
    };
    match daemon.work(&waiter) {
        // A reader that has seen enough is no fault.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(fault(error)),
        _ => Ok(Exit::Done),
    }
}

/// Where to export to, if anywhere.
pub(super) fn export(args: &RunArgs, config: &Config) -> Result<Option<Otlp>, Stop> {
    let flags = ExportFlags {
        agent_host: args.agent_host.clone(),
        agent_port: args.agent_port,
        protocol: args.protocol,
        tls: args.tls,
    };
    let settings = export_settings(&flags, &Environment::of_process(), config)
        .map_err(|problems| Stop::problems(Exit::Config, &problems))?;
    if settings.is_none() && (args.tls || args.protocol.is_some()) {
        tracing::warn!(
            "nothing is exported: --tls and --protocol say how, --agent-host says where"
        );
    }
    settings
        .map(|settings| delivery::checked(&settings))
        .transpose()
}

/// Loads the kernel programs; says in one line what is missed without them.
fn attach(args: &RunArgs, config: &Config, memory: &Memory) -> Result<Option<Attached>, Stop> {
    if args.no_ebpf || config.kernel.ebpf == EbpfMode::Off {
        return Ok(None);
    }
    match pinning::open(args, config, memory) {
        Ok(opened) => pinning::tell(opened, config).map(Some),
        Err(error) => {
            let why = no_events(&error);
            if config.kernel.ebpf == EbpfMode::Require {
                let exit = match error.is_permission() {
                    true => Exit::NoPermission,
                    false => Exit::Software,
                };
                return Err(Stop::new(exit, why));
            }
            tracing::warn!(
                "{why}; working by scans of /proc: processes that live shorter than the \
                 interval, starts, exits and what was used until the end are missed"
            );
            Ok(None)
        }
    }
}

fn intervals(pump: &Pump) -> Vec<Duration> {
    let specs = pump.engine.specs();
    specs.iter().map(|spec| spec.interval).collect()
}

fn fault(error: io::Error) -> Stop {
    Stop::new(Exit::Software, error.to_string())
}

struct Daemon {
    supervisor: Supervisor,
    /// Dropped before the stage that it hands on to.
    receiving: Option<Receiving>,
    /// What it received so far.
    received: Option<Received>,
    pump: Pump,
    plugins: Plugins,
    watch: Option<Watch>,
    wish: Wish,
    collecting: Collecting,
    /// What becomes of abnormal ends.
    mourning: Option<Stage>,
    /// Where incidents go.
    outlet: Option<Outlet>,
    delivery: Option<Delivery>,
    keeper: Option<Keeper>,
    unclaimed: Unclaimed,
    host: HostResource,
    telemetry: Option<Telemetry>,
    output: Output,
    pids: bool,
    end: Option<Instant>,
    warned_denied: bool,
    /// When the oldest event that waits to be written has to be.
    write_due: Option<Instant>,
    /// The ring has what happened since the daemon before has stopped.
    goes_on: bool,
}

impl Daemon {
    fn work(mut self, waiter: &Waiter) -> io::Result<()> {
        let mut events = Vec::new();
        let mut settled = false;
        if let (Some(kernel), true) = (&mut self.pump.kernel, self.keeper.is_some()) {
            kernel.hold();
        }
        if self.goes_on {
            self.pump.go_on(&mut events);
        }
        self.pump.scan(&mut events);
        self.pump.engine.registry().await_no_more();
        if let Some(stage) = &self.mourning {
            stage.follow(incidents::paths(self.pump.engine.specs()));
            stage.settle();
        }
        if self.goes_on {
            // A ring that was replaced can be read only once.
            self.write();
        }
        self.tell_ready();
        loop {
            self.pump.drain(&mut events);
            if self.pump.reconcile_after_loss(&mut events) {
                tracing::warn!("events were lost; the process table was compared with /proc");
            }
            self.publish(&mut events);
            if let Some(receiving) = &self.receiving {
                receiving.answer(&mut self.pump.engine);
            }
            self.checkpoint();
            let now = Instant::now();
            self.supervisor.beat(now);
            if self.end.is_some_and(|end| now >= end) {
                break;
            }
            if self.collecting.next().is_some_and(|next| next <= now) {
                let report = self.collecting.collect_due(&mut self.pump, &mut events);
                self.publish(&mut events);
                if let Some(report) = report {
                    self.report(&report)?;
                    if !std::mem::replace(&mut settled, true) {
                        memory::settle();
                    }
                }
            }
            match waiter.wait(self.next_deadline())? {
                Woken::End => break,
                Woken::Events => {}
                Woken::Reload => {
                    logging::reopen();
                    self.supervisor.reloading();
                    self.reload(Cause::Signal, &mut events)?;
                    self.tell_ready();
                }
                Woken::Files => {
                    if let Some(watch) = &mut self.watch {
                        watch.read()?;
                    }
                }
            }
            if self.write_due.is_some_and(|due| due <= Instant::now()) {
                self.write_due = None;
                self.write();
            }
            if self.watch.as_mut().is_some_and(Watch::is_due) {
                self.reload(Cause::Files, &mut events)?;
                self.tell_ready();
            }
        }
        self.end()
    }

    fn next_deadline(&mut self) -> Instant {
        let next = self.pump.next_look();
        let next = self.supervisor.due().map_or(next, |due| due.min(next));
        let next = self.write_due.map_or(next, |due| due.min(next));
        let changed = self.watch.as_ref().and_then(Watch::due);
        let next = changed.map_or(next, |due| due.min(next));
        let next = self.collecting.next().map_or(next, |due| due.min(next));
        self.end.map_or(next, |end| end.min(next))
    }

    fn report(&mut self, report: &Report) -> io::Result<()> {
        let enqueue = || {
            if let Some(delivery) = &self.delivery {
                delivery.exporter.enqueue_metrics(report);
            }
        };
        match &self.keeper {
            Some(keeper) => {
                let interval = Interval {
                    logs: self.mourning.as_ref().and_then(Stage::positions),
                    ..keeping::interval(report, &self.host, &mut self.pump)
                };
                keeper.accept(interval, enqueue);
                self.write_due = None;
            }
            None => enqueue(),
        }
        if let Some(telemetry) = &self.telemetry {
            let mut figures = figures(&mut self.pump, &self.collecting, self.keeper.as_ref());
            if let Some(stage) = &self.mourning {
                figures.incidents = stage.told();
                figures.incidents_dropped[1].1 = stage.dropped();
            }
            if let Some(outlet) = &self.outlet {
                figures.transports = outlet.stats();
                figures.homeless = outlet.homeless();
            }
            if let Some(receiving) = &self.receiving {
                self.received = Some(receiving.received());
            }
            figures.receiver.clone_from(&self.received);
            telemetry.update(figures);
        }
        let denied = self.collecting.denied();
        if denied > 0 && !self.warned_denied {
            self.warned_denied = true;
            let remedy = match capability::count_here() {
                true => "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH would help",
                false => capability::OUTSIDE,
            };
            tracing::warn!(
                "permission denied: {denied} processes of other users can be read in part only; \
                 what is missing is absent ({remedy})"
            );
        }
        let mut out = io::stdout().lock();
        let printed = match self.output {
            Output::None => Ok(()),
            Output::Json => writeln!(out, "{}", json::report(report, self.pids)),
            Output::Text => writeln!(out, "{}", table::report(report)),
        };
        match printed {
            // Whoever exports goes on without a reader, and with a full disk.
            Err(error) if self.delivery.is_some() => {
                tracing::warn!("cannot print, printing no more: {error}");
                self.output = Output::None;
                Ok(())
            }
            other => other.map_err(setup::unwritten),
        }
    }

    fn publish(&mut self, events: &mut Vec<ProcessEvent>) {
        if let Some(stage) = &self.mourning {
            stage.watch(self.pump.engine.take_joined());
            stage.take(self.pump.engine.take_ended());
        }
        if let Some(delivery) = &self.delivery
            && !events.is_empty()
        {
            delivery.exporter.enqueue_logs(events);
            let much = |keeper: &Keeper| keeper.is_much() && keeper.is_idle();
            if self.keeper.as_ref().is_some_and(much) {
                self.write();
            }
            self.write_due
                .get_or_insert_with(|| Instant::now() + LONGEST_UNWRITTEN);
        }
        events.clear();
    }

    /// Has written what was accepted, before the end of the interval.
    fn write(&mut self) {
        let moment = self.moment();
        if let Some(keeper) = &self.keeper {
            keeper.accept(moment, || {});
        }
    }

    fn end(mut self) -> io::Result<()> {
        self.supervisor.stopping();
        let mut events = Vec::new();
        self.received = self.receiving.take().map(Receiving::finish);
        self.pump.finish(&mut events);
        let report = self.collecting.collect_all(&mut self.pump, &mut events);
        // What came meanwhile is told by this daemon, or by the next one, but
        // not by halves.
        self.pump.engine.flush(&mut events);
        self.publish(&mut events);
        let printed = self.report(&report);
        if let Some(telemetry) = self.telemetry.take() {
            telemetry.shutdown();
        }
        let logs = self.mourning.take().and_then(Stage::finish);
        // Written first, then sent, and what was sent is forgotten.
        if let Some(keeper) = &self.keeper {
            let interval = Interval {
                logs,
                ..Interval::default()
            };
            keeper.accept(interval, || {});
            keeper.finish();
        }
        self.checkpoint();
        // Both at once: neither takes the other's time.
        std::thread::scope(|scope| {
            if let Some(outlet) = &self.outlet {
                scope.spawn(|| outlet.shutdown(LAST_DELIVERY));
            }
            if let Some(delivery) = self.delivery.take() {
                delivery.shutdown(LAST_DELIVERY);
            }
        });
        if let Some(keeper) = self.keeper {
            keeper.end();
        }
        printed
    }
}
