//! `sensor plugin uninstall`.

use super::{place, systemctl};
use crate::{
    app::setup::{Stop, print},
    cli::plugin::UninstallArgs,
    clock,
    exit::Exit,
    output::terminal::escaped,
    plugin::install::Removal,
};

pub(super) fn run(args: &UninstallArgs) -> Result<Exit, Stop> {
    let place = place(&args.place)?;
    let removal = Removal::new(&args.name, &place)?;
    let paths = removal.target.iter().chain(&removal.units);
    let paths: Vec<String> = paths.map(|path| escaped(&path.to_string_lossy())).collect();
    let name = escaped(&args.name);
    if args.place.dry_run {
        let paths = paths.join("\n  ");
        print(&format!("Would remove plugin `{name}`:\n  {paths}\n"))?;
        return Ok(Exit::Done);
    }
    // What runs would go on without its plugin.
    for unit in &removal.units {
        let unit = systemctl::unit_name(unit);
        systemctl::call(place.scope, &["disable", "--now", &unit]);
    }
    removal.carry_out(clock::wall())?;
    if !removal.units.is_empty() {
        systemctl::call(place.scope, &["daemon-reload"]);
    }
    print(&format!(
        "Removed plugin `{name}`:\n  {}\n",
        paths.join("\n  ")
    ))?;
    Ok(Exit::Done)
}
