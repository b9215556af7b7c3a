//! The command line of `sensor store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The commands about the store.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: sensor store show --json | jq .queue")]
pub enum Command {
    /// Hosts, services, metrics, and what waits for the collector
    Show(StoreArgs),
    /// The versions that the file had, and by which release
    History(StoreArgs),
    /// The last incidents of this host, oldest first
    Incidents(IncidentsArgs),
    /// Look at every page and record; changes nothing
    Verify(StoreArgs),
}

/// Flags of `sensor store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// The store [default: /var/lib/sensor/metadata.redb]
    #[arg(long, value_name = "PATH")]
    pub metadata_db_path: Option<PathBuf>,

    /// Configuration file [default: /etc/sensor/sensor.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sensor store incidents`.
#[derive(Debug, Args)]
pub struct IncidentsArgs {
    /// Which store.
    #[command(flatten)]
    pub store: StoreArgs,

    /// How many, from the last one back
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}
