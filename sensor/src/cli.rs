//! The command line.

pub mod config;
pub mod logs;
pub mod plugin;
pub mod store;

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::{Protocol, agent_host, agent_port, parse_duration, protocol_of_flag};

/// Knows what every process on this host did.
///
/// Without a command: `sensor run`.
#[derive(Debug, Parser)]
#[command(
    name = "sensor",
    version,
    max_term_width = 80,
    args_conflicts_with_subcommands = true,
    disable_help_flag = true,
    disable_help_subcommand = true,
    after_help = "Examples:
  sudo sensor events               every process that starts and ends, now
  sudo sensor                      what the programs on this host use
  sensor --run-once                the same in one look, without privileges
  sudo sensor run --agent-host localhost
                                   export it over OTLP, to port 4317
  sudo sensor doctor               what works on this host, and what does not"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of `run`, for `sensor` alone.
    #[command(flatten)]
    pub run: RunArgs,

    /// Print help
    // The short form for both spellings: it fits a screen.
    #[arg(short, long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch processes, print or export what they use [default]
    Run(RunArgs),
    /// Print every exec and exit as it happens
    Events(EventsArgs),
    /// Say what works on this host and what does not
    Doctor(DoctorArgs),
    /// Remove what `run --pin` left in the kernel
    Detach,
    /// Show what survives restarts: identities, versions, the queue
    #[command(subcommand)]
    Store(store::Command),
    /// Make, check and install plugins
    #[command(
        subcommand,
        after_help = "Example: sensor plugin verify myapp && sudo sensor plugin install myapp"
    )]
    Plugin(plugin::Command),
    /// Find errors in a log file, mask secrets in text
    #[command(subcommand)]
    Logs(logs::Command),
    /// Check the configuration file, show what is in force
    #[command(subcommand)]
    Config(config::Command),
}

/// Flags of `sensor run`.
#[derive(Debug, Args, Default)]
pub struct RunArgs {
    /// One look at /proc, then end; also --once
    #[arg(long, alias = "once")]
    pub run_once: bool,

    /// End by itself after this long
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "run_once")]
    pub duration: Option<Duration>,

    /// How often: 500ms, 10s, 2m [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub interval: Option<Duration>,

    /// Plugins [default: /etc/sensor/plugins]
    #[arg(long = "plugins", value_name = "DIR")]
    pub plugins: Vec<PathBuf>,

    /// Only this plugin; may be repeated
    #[arg(long = "plugin", value_name = "NAME")]
    pub plugin: Vec<String>,

    /// Refuse plugins not as in their manifest
    #[arg(long)]
    pub verify_plugins: bool,

    /// File [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Host of the OTLP collector
    #[arg(long, value_name = "HOST", value_parser = agent_host)]
    pub agent_host: Option<String>,

    /// Its port [default: 4317, http: 4318]
    #[arg(long, value_name = "PORT", value_parser = agent_port)]
    pub agent_port: Option<u16>,

    /// grpc or http [default: grpc]
    #[arg(long, value_name = "PROTOCOL", value_parser = protocol_of_flag)]
    pub protocol: Option<Protocol>,

    /// Export over TLS
    #[arg(long)]
    pub tls: bool,

    /// text, json or none (where exporting)
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub output: Option<Output>,

    /// List the members' pids in JSON
    #[arg(long)]
    pub pids: bool,

    /// Scan /proc instead of loading kernel programs
    #[arg(long)]
    pub no_ebpf: bool,

    /// Keep hooks and ring over restarts
    #[arg(long)]
    pub pin: bool,

    /// Size of the ring [default: 8388608]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub ring_bytes: Option<u32>,

    /// Store [/var/lib/sensor/metadata.redb]
    #[arg(long, value_name = "PATH")]
    pub metadata_db_path: Option<PathBuf>,

    /// Refuse a file that is no store
    #[arg(long)]
    pub strict_store: bool,

    /// That may wait [default: 268435456]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub queue_max_bytes: Option<u64>,

    /// error, warn, info, debug, trace [info]
    #[arg(long, value_name = "LEVEL", default_value = "info", hide_default_value = true, value_parser = level)]
    pub log_level: LogLevel,

    /// Log there, not to standard error
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// Flags of `sensor events`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sudo sensor events --json --duration 10s | jq -c .")]
pub struct EventsArgs {
    /// One JSON object a line, a summary last
    #[arg(long)]
    pub json: bool,

    /// Only what this plugin watches; may be repeated
    #[arg(long = "plugin", value_name = "NAME")]
    pub plugin: Vec<String>,

    /// Plugins [default: /etc/sensor/plugins]
    #[arg(long = "plugins", value_name = "DIR")]
    pub plugins: Vec<PathBuf>,

    /// End by itself after this long: 500ms, 10s, 2m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,

    /// Size of the ring buffer [default: 8388608]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub ring_bytes: Option<u32>,

    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of `sensor doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// One JSON object
    #[arg(long)]
    pub json: bool,

    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Host of the OTLP collector
    #[arg(long, value_name = "HOST", value_parser = agent_host)]
    pub agent_host: Option<String>,

    /// Port of the OTLP collector
    #[arg(long, value_name = "PORT", value_parser = agent_port)]
    pub agent_port: Option<u16>,
}

/// What `run` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people
    Text,
    /// One JSON object an interval
    Json,
    /// Nothing
    None,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLevel(pub tracing::Level);

impl Default for LogLevel {
    fn default() -> Self {
        Self(tracing::Level::INFO)
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("must be more than zero".to_owned());
    }
    Ok(duration)
}

/// The framework's users write DEBUG, so case does not matter.
fn level(text: &str) -> Result<LogLevel, String> {
    let text = match text.to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" => "error".to_owned(),
        other => other.to_owned(),
    };
    text.parse()
        .map(LogLevel)
        .map_err(|_| "one of error, warn, info, debug, trace".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn assert_fits(command: &mut clap::Command) {
        let help = command.render_help().to_string();
        let long = help.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{}", command.get_name());
        command.get_subcommands_mut().for_each(assert_fits);
    }

    #[test]
    fn help_fits_80_columns() {
        let mut command = Cli::command();
        command.build();
        assert_fits(&mut command);
        command.debug_assert();
    }
}
