//! The command line of `sensor config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The commands about the configuration.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say everything that is wrong with it
    Check(CheckArgs),
    /// Print what is in force, and where each value comes from
    Show(ShowArgs),
}

/// Flags of `sensor config check`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sensor config check --config ./sensor.toml
Exit status: 0, 66 without the file, 78 where something is wrong")]
pub struct CheckArgs {
    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of `sensor config show`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sensor config show | grep -v default")]
pub struct ShowArgs {
    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One JSON array
    #[arg(long)]
    pub json: bool,
}
