//! What every command needs first: configuration, plugins, the engine.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sensor_common::field;
use uuid::Uuid;

use crate::{
    aggregate::registry::{Registry, Spec},
    cli::RunArgs,
    clock,
    collect::{Scale, Wanted, Wants, custom::CustomSet, scan::ARGS_LIMIT},
    config::{Config, DEFAULT_PLUGINS, Environment, HostMode, Problem, logs},
    engine::{self, Engine, Known, Publish},
    exit::Exit,
    export::HostResource,
    incident::{context::siblings, ended::Rules, log::format::Formats},
    plugin::{self, Loaded, Matcher, Plugin},
    process::table,
    procfs::{Proc, mount},
    pump::Pump,
    scrub::{ScrubConfig, Scrubber},
    source::ebpf::Kernel,
    units::{BootNanos, WallOffset},
};

/// Where the configuration file is, unless a flag says otherwise.
pub const CONFIG: &str = "/etc/sensor/sensor.toml";

/// A command cannot go on: what to say, and how to end.
#[derive(Debug)]
pub struct Stop {
    /// How to end.
    pub exit: Exit,
    /// What to say, a line each.
    pub lines: Vec<String>,
}

impl Stop {
    /// Ends with one line.
    #[must_use]
    pub fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self {
            exit,
            lines: vec![line.into()],
        }
    }

    /// Ends with a line for each problem.
    #[must_use]
    pub fn problems(exit: Exit, problems: &[Problem]) -> Self {
        Self {
            exit,
            lines: problems.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The same fault, and that it is one of writing: the kind stays, for a reader
/// that went away is none.
pub fn unwritten(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write: {error}"))
}

/// Prints what a command was asked for.
///
/// # Errors
///
/// Where nothing can be written; a reader that went away is none.
pub fn print(text: &str) -> Result<(), Stop> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::new(Exit::Software, format!("cannot write: {error}")))
        }
        _ => Ok(()),
    }
}

/// Reads the configuration: the file of the flag, which must be there, or the
/// usual one, which need not.
///
/// # Errors
///
/// All problems of the file.
pub fn config(flag: Option<&Path>) -> Result<Config, Stop> {
    let path = flag.unwrap_or(Path::new(CONFIG));
    if path == Path::new("/dev/null") {
        // The usual way to say: none.
        return Ok(Config::default());
    }
    Config::load(path, flag.is_some()).map_err(|problems| {
        let missing = flag.is_some_and(|path| !path.exists());
        let exit = if missing { Exit::NoInput } else { Exit::Config };
        Stop::problems(exit, &problems)
    })
}

/// The scrubber of a configuration.
///
/// # Errors
///
/// Where its rules cannot be compiled.
pub fn scrubber(config: &Config) -> Result<Scrubber, Stop> {
    let rules = ScrubConfig {
        words: config.scrub.words.clone(),
        patterns: config.scrub.patterns.clone(),
        keep: config.scrub.keep.clone(),
    };
    Scrubber::new(&rules).map_err(|error| Stop::new(Exit::Config, error.to_string()))
}

/// The log formats that are known: the built-in ones and those of the file.
///
/// # Errors
///
/// Where a pattern cannot be compiled.
pub fn formats(config: &Config) -> Result<Arc<Formats>, Stop> {
    let formats = logs::formats(&config.log_formats);
    formats
        .map(Arc::new)
        .map_err(|line| Stop::new(Exit::Config, line))
}

/// Which plugins somebody asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `--plugins`; none: the directories of the configuration.
    pub dirs: Vec<PathBuf>,
    /// `--plugin`; none: all.
    pub names: Vec<String>,
    /// `--verify-plugins`.
    pub verify: bool,
}

impl From<&RunArgs> for Selection {
    fn from(args: &RunArgs) -> Self {
        Self {
            dirs: args.plugins.clone(),
            names: args.plugin.clone(),
            verify: args.verify_plugins,
        }
    }
}

/// Loads plugins; the built-in `host` where there are none.
///
/// # Errors
///
/// Where a named directory is missing, a named plugin is unknown, or every
/// plugin has faults.
pub fn plugins(selection: &Selection, config: &Config) -> Result<Vec<Plugin>, Stop> {
    choose(load(selection, config), selection, config.host)
}

/// Loads plugins, and with them what their variables say.
#[must_use]
pub fn load(selection: &Selection, config: &Config) -> Loaded {
    let dirs = plugin_dirs(&selection.dirs, config);
    let mut loaded = plugin::load(dirs, &selection.names);
    if selection.verify {
        loaded.refuse_unverified();
    }
    loaded.apply_environment(&Environment::of_process());
    loaded
}

/// The directories of plugins: those of the flag, else of the configuration.
#[must_use]
pub fn plugin_dirs<'a>(named_dirs: &'a [PathBuf], config: &'a Config) -> &'a [PathBuf] {
    match named_dirs {
        [] => &config.plugins,
        named => named,
    }
}

/// Whether a directory of plugins was asked for, by a flag or a file: then it
/// must be there. Only the default one need not.
#[must_use]
pub fn must_be_there(dir: &Path, by_flag: bool) -> bool {
    by_flag || dir != Path::new(DEFAULT_PLUGINS)
}

/// Tells what is wrong with the plugins, and decides whether to go on.
///
/// # Errors
///
/// As for [`plugins`].
pub fn choose(loaded: Loaded, selection: &Selection, host: HostMode) -> Result<Vec<Plugin>, Stop> {
    let Loaded {
        plugins,
        failed,
        warnings,
        unreadable,
        unmatched,
    } = loaded;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let by_flag = !selection.dirs.is_empty();
    if unreadable
        .iter()
        .any(|problem| must_be_there(&problem.file, by_flag))
    {
        return Err(Stop::problems(Exit::NoInput, &unreadable));
    }
    for failed in &failed {
        for problem in &failed.problems {
            tracing::error!("plugin `{}` is not loaded: {problem}", failed.name);
        }
    }
    if plugins.is_empty() && !failed.is_empty() {
        let line = "no plugin could be loaded; each problem is named above";
        return Err(Stop::new(Exit::Config, line));
    }
    if let Some(name) = unmatched.iter().find(|name| *name != "host") {
        let line = format!("no plugin is called `{name}`");
        return Err(Stop::new(Exit::NoInput, line));
    }
    Ok(with_host(plugins, &selection.names, host))
}

/// The plugins that are switched on, and the built-in one where it belongs.
#[must_use]
pub fn with_host(mut plugins: Vec<Plugin>, names: &[String], host: HostMode) -> Vec<Plugin> {
    let none = plugins.is_empty();
    let host_named = names.iter().any(|name| name == "host");
    let with_host = match host {
        HostMode::Auto => none && names.is_empty() || host_named,
        HostMode::Always => names.is_empty() || host_named,
        HostMode::Never => false,
    };
    if with_host {
        plugins.push(Plugin::host());
    }
    plugins.retain(|plugin| plugin.enabled);
    plugins
}

/// How the engine is to be.
pub struct Wish {
    /// Which process events come out.
    pub publish: Publish,
    /// Abnormal ends of members are incidents.
    pub incidents: bool,
    /// `--interval`: goes before everything else.
    pub interval: Option<Duration>,
}

/// Builds engine and pump. `kernel` is attached already, so that whatever
/// starts from now on is seen.
///
/// # Errors
///
/// Where a pattern is invalid or /proc is not there.
pub fn pump(
    plugins: &[Plugin],
    config: &Config,
    kernel: Option<Kernel>,
    attached: Option<BootNanos>,
    host: &HostResource,
    wish: &Wish,
) -> Result<(Pump, WallOffset), Stop> {
    let host_id = host.agent_instance_id.to_string();
    let matcher = Matcher::new(plugins, std::process::id())
        .map_err(|error| Stop::new(Exit::Config, error.to_string()))?;
    let scrubber = scrubber(config)?;
    let offset = clock::offset();
    let has = |field| kernel.as_ref().is_some_and(|kernel| kernel.has(field));
    let known = Known {
        io: has(field::TASK_READ_BYTES) && has(field::SIGNAL_READ_BYTES),
        runqueue: has(field::TASK_RUNQUEUE),
        peak: has(field::SIGNAL_MAXRSS),
    };
    let wanted = wanted(&matcher, plugins, wish);
    if let Some(kernel) = &kernel {
        // A stream of events has no collection that would look at them.
        kernel.watch_renames(wish.publish == Publish::Enabled && matcher.needs().name);
    }
    let engine = Engine::new(engine::Config {
        matcher,
        registry: Registry::new(specs(plugins, config, wish.interval), host_id),
        scrubber: Arc::new(scrubber),
        publish: wish.publish,
        capture_args: config.args.capture,
        limits: table::Limits {
            processes: config.limits.processes,
            text_bytes: config.limits.text_bytes,
        },
        offset,
        attached,
        page_size: Scale::of_kernel().pages_to_bytes(1),
        known,
        incidents: wish.incidents.then(|| Rules {
            ignored: config.incident.ignore_exits.clone(),
            siblings: config.incident.context.contains(&siblings::KIND.name),
        }),
        seed: Uuid::now_v7().as_u64_pair().1,
    });
    if let Some(kernel) = &kernel {
        kernel.watch_outputs(engine.wants_outputs());
    }
    if !mount::shows_processes() {
        tracing::warn!("/proc shows no process: nothing is known of those that live; mount /proc");
    } else if kernel.is_some() && !mount::has_host_pids() {
        tracing::warn!(
            "{}: figures of living processes are missing or those of others; run it with the \
             host's pids (hostPID, --pid=host)",
            mount::OTHER_PIDS
        );
    }
    let proc = Proc::open()
        .map_err(|error| Stop::new(Exit::Software, format!("cannot read /proc: {error}")))?;
    Ok((Pump::new(kernel, engine, proc, wanted), offset))
}

/// What a scan has to find out: of everybody what matching needs, or all where
/// everybody is shown; of members also what grouping and showing them needs.
#[must_use]
pub fn wanted(matcher: &Matcher, plugins: &[Plugin], wish: &Wish) -> Wants {
    if wish.publish == Publish::All {
        return Wants {
            each: Wanted::ALL,
            members: Wanted::ALL,
            descent: true,
        };
    }
    let groups = |by| plugins.iter().any(|plugin| plugin.group_by == by);
    let needs = matcher.needs();
    let each = Wanted {
        name: needs.name,
        exe: needs.exe,
        args: needs.cmdline.then_some(ARGS_LIMIT),
        user: needs.user,
        cgroup: needs.cgroup,
    };
    let singles = |plugin: &Plugin| plugin.metrics.per_process_top > 0;
    let members = match wish.incidents || plugins.iter().any(|plugin| plugin.events_enabled) {
        true => Wanted::ALL,
        false => Wanted {
            exe: each.exe || plugins.iter().any(singles) || groups(plugin::GroupBy::Executable),
            user: each.user || groups(plugin::GroupBy::User),
            cgroup: each.cgroup || groups(plugin::GroupBy::Cgroup),
            ..each
        },
    };
    // Who is a member by descent is known only when all are in.
    let descent = matcher.any_descends();
    Wants {
        each: if descent { members } else { each },
        members,
        descent,
    }
}

/// The services of all plugins, in the matcher's order.
#[must_use]
pub fn specs(plugins: &[Plugin], config: &Config, interval: Option<Duration>) -> Vec<Spec> {
    plugins
        .iter()
        .flat_map(|plugin| {
            let custom = custom(plugin);
            let services = plugin.services.iter();
            services.map(move |service| (plugin, service, custom.clone()))
        })
        .map(|(plugin, service, custom)| Spec {
            plugin: Arc::from(plugin.name.as_str()),
            name: service.name.clone(),
            namespace: service.namespace.clone(),
            pattern: service.pattern.clone(),
            version: plugin.version.clone(),
            description: plugin.description.clone(),
            attributes: plugin.attributes.clone(),
            group_by: plugin.group_by,
            max_groups: plugin.max_groups.min(config.limits.groups),
            interval: plugin.effective_interval(interval, config.interval),
            events: plugin.events_enabled,
            scheduler: plugin.scheduler,
            capture_args: plugin.capture_args && config.args.capture,
            logs: plugin.logs.clone(),
            metrics: plugin.metrics,
            custom,
        })
        .collect()
}

/// A plugin's own metrics. Where it was not checked when it was loaded, those
/// with a fault are left out, and the rest is read.
fn custom(plugin: &Plugin) -> Option<Arc<CustomSet>> {
    let (set, faults) = CustomSet::new(&plugin.name, &plugin.custom_metrics);
    for fault in faults {
        let metric = &plugin.custom_metrics[fault.index].name;
        tracing::warn!(
            "custom metric `{metric}` of plugin `{}` is left out: {}: {}",
            plugin.name,
            fault.key,
            fault.message
        );
    }
    set
}
