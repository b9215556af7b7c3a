//! `sensor logs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with text.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the errors and exceptions in a log file
    #[command(after_help = "Examples:
  sensor logs parse /var/log/app.log
  kubectl logs --timestamps web-0 | sensor logs parse --json -
  journalctl -o json -u app | sensor logs parse --fold -")]
    Parse(ParseArgs),
    /// Mask secrets: standard input to standard output
    #[command(after_help = "Example: sensor logs scrub < app.log > app-to-share.log")]
    Scrub(ScrubArgs),
}

/// Flags of `sensor logs parse`.
#[derive(Debug, Args)]
pub struct ParseArgs {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// json, syslog, logfmt, klog, cri, docker, journald, nginx, apache,
    /// python, log4j, bracket, or one of the configuration [default: found out]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,

    /// One JSON object an incident
    #[arg(long)]
    pub json: bool,

    /// Print each kind of incident once, with how often it came
    #[arg(long)]
    pub fold: bool,

    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of `sensor logs scrub`.
#[derive(Debug, Args)]
pub struct ScrubArgs {
    /// Each line is a JSON array of arguments
    #[arg(long)]
    pub args: bool,

    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
