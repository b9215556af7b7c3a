//! The command line of `sensor plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The commands about plugins.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show plugins and what they watch
    List(ListArgs),
    /// Check plugins, their examples included
    Check(ListArgs),
    /// Begin a plugin
    New(NewArgs),
    /// Write plugin.toml from a __init__.py
    Migrate(MigrateArgs),
}

/// Flags of `sensor plugin list` and `sensor plugin check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sensor plugin list
  sensor plugin check --plugins ./plugins
  sensor plugin check --plugins ./myapp --json | jq '.[].errors'")]
pub struct ListArgs {
    /// Where to look for plugins; may be repeated [default: /etc/sensor/plugins]
    #[arg(long = "plugins", value_name = "DIR")]
    pub plugins: Vec<PathBuf>,

    /// Only this plugin; may be repeated
    #[arg(long = "plugin", value_name = "NAME")]
    pub plugin: Vec<String>,

    /// One JSON array
    #[arg(long)]
    pub json: bool,

    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of `sensor plugin new`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sensor plugin new myapp --process-name MyApp --namespace MyCompany")]
pub struct NewArgs {
    /// Name of the plugin and of its directory
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Pattern of the processes [default: NAME]
    #[arg(long, value_name = "PATTERN")]
    pub process_name: Option<String>,

    /// Groups services: a company or a product [default: NAME]
    #[arg(long, value_name = "TEXT")]
    pub namespace: Option<String>,

    /// Where to make the directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,

    /// Show what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `sensor plugin migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sensor plugin migrate ./myapp --dry-run

__init__.py is read, never executed, and stays as it is.")]
pub struct MigrateArgs {
    /// Directory with __init__.py in it
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Replace a plugin.toml that is there
    #[arg(short, long)]
    pub force: bool,

    /// Show what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}
