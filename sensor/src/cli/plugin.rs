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
    /// Write manifest.toml: what each file of a plugin is
    Manifest(ManifestArgs),
    /// Compare a plugin's files with its manifest.toml
    Verify(VerifyArgs),
    /// Copy a plugin to where `sensor run` finds it, and write its unit
    Install(InstallArgs),
    /// Remove an installed plugin and its unit
    Uninstall(UninstallArgs),
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

/// Flags of `sensor plugin manifest`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sensor plugin manifest myapp && sensor plugin verify myapp")]
pub struct ManifestArgs {
    /// The plugin's directory
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Flags of `sensor plugin verify`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sensor plugin verify /etc/sensor/plugins/myapp
Exit status: 0, 65 where a file differs, 66 without a manifest")]
pub struct VerifyArgs {
    /// The plugin's directory
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,

    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Where plugins are installed.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Directory of installed plugins [default: /etc/sensor/plugins,
    /// for a user ~/.config/sensor/plugins]
    #[arg(short = 'd', long = "base-dir", value_name = "BASE")]
    pub base: Option<PathBuf>,

    /// For this user, with a unit in ~/.config/systemd/user [default without root]
    #[arg(long)]
    pub user: bool,

    /// Print each path and the unit, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `sensor plugin install`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sudo sensor plugin install myapp
  sensor plugin install myapp --dry-run
  sudo sensor plugin install -f -r myapp
                               replace it, keep a backup, restart its unit
Where sensor.service runs, it watches for all of /etc/sensor/plugins: install
with --no-unit then.")]
pub struct InstallArgs {
    /// The plugin's directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Where to
    #[command(flatten)]
    pub place: PlaceArgs,

    /// Replace an installed one, keep a backup
    #[arg(short, long)]
    pub force: bool,

    /// Restart the unit
    #[arg(short, long, conflicts_with = "no_unit")]
    pub restart: bool,

    /// Write no systemd unit
    #[arg(long)]
    pub no_unit: bool,
}

/// Flags of `sensor plugin uninstall`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sudo sensor plugin uninstall myapp --dry-run")]
pub struct UninstallArgs {
    /// The plugin's name
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Where from
    #[command(flatten)]
    pub place: PlaceArgs,
}
