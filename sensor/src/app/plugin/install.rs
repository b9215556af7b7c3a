//! `sensor plugin install`.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{place, systemctl, verify, warn};
use crate::{
    app::setup::{Stop, print},
    cli::plugin::InstallArgs,
    clock,
    exit::Exit,
    output::terminal::escaped,
    plugin::{
        Plugin,
        files::Tree,
        install::{Place, Plan, Scope, checked},
        manifest::{MANIFEST, Manifest, ManifestError},
        verify::Report,
    },
};

pub(super) fn run(args: &InstallArgs) -> Result<Exit, Stop> {
    let place = place(&args.place)?;
    let source =
        Tree::read(&args.dir).map_err(|error| ManifestError::Directory(args.dir.clone(), error))?;
    if !verified(&args.dir, &source)? {
        let line = format!(
            "{0} is not installed: its files are not those of {MANIFEST}\n\
             If the changes are meant: sensor plugin manifest {0}",
            shown(&args.dir)
        );
        return Err(Stop::new(Exit::Data, line));
    }
    let plugin = plugin(&args.dir, &place)?;
    let sensor = (!args.no_unit).then(program).transpose()?;
    let plan = Plan::new(&plugin, &source, &place, sensor.as_deref(), args.force)?;
    if plan.unit.is_some() && place.is_watched_by_packages() {
        warn("sensor.service runs this plugin, too; with --no-unit no second sensor does");
    }
    if args.place.dry_run {
        print(&planned(&plan, &plugin))?;
        return Ok(Exit::Done);
    }
    let done = plan.carry_out(&plugin, &place, clock::wall())?;
    let unit = plan.unit.as_ref().map(|unit| &unit.path);
    let mut text = format!("Installed plugin `{}`:\n", escaped(&plugin.name));
    list(&mut text, [&plan.target].into_iter().chain(unit));
    if !done.backups.is_empty() {
        text.push_str("What was replaced is kept:\n");
        list(&mut text, &done.backups);
    }
    if let Some(unit) = unit {
        let unit = systemctl::unit_name(unit);
        systemctl::call(place.scope, &["daemon-reload"]);
        for stale in &plan.stale {
            let stale = systemctl::unit_name(stale);
            warn(&format!(
                "{stale} is replaced by {unit}; if it runs, stop it: systemctl stop {stale}"
            ));
        }
        if args.restart {
            systemctl::call(place.scope, &["restart", &unit]);
        } else {
            let user = match place.scope {
                Scope::User => "--user ",
                Scope::System => "",
            };
            text += &format!("Start it: systemctl {user}enable --now {unit}\n");
        }
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// Whether the source is what its manifest says; one without is taken as it is.
fn verified(directory: &Path, source: &Tree) -> Result<bool, Stop> {
    match Manifest::of(directory, source) {
        Ok(manifest) => {
            let report = Report::compare(&manifest, source);
            verify::print_report(&report)?;
            Ok(report.is_clean())
        }
        Err(ManifestError::NotFound(path)) => {
            let (path, directory) = (path.display(), directory.display());
            warn(&format!(
                "Manifest file not found: {path}; nobody vouches for the files. `sensor plugin manifest {directory}` writes one"
            ));
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

fn plugin(directory: &Path, place: &Place) -> Result<Plugin, Stop> {
    // The one in the place of this one would collide with it.
    let target = |plugin: &Plugin| place.base.join(&plugin.name);
    let alone = checked(directory, Path::new(""), None);
    let target = alone.as_ref().ok().map(|(plugin, _)| target(plugin));
    let (plugin, warnings) = alone
        .and_then(|_| checked(directory, &place.base, target.as_deref()))
        .map_err(|problems| Stop::problems(Exit::Config, &problems))?;
    for warning in &warnings {
        warn(&warning.to_string());
    }
    Ok(plugin)
}

/// This program, as a unit can start it.
fn program() -> Result<PathBuf, Stop> {
    let stop = |why: String| {
        Stop::new(
            Exit::Software,
            format!("cannot tell where sensor is: {why}"),
        )
    };
    let path = env::current_exe().map_err(|error| stop(error.to_string()))?;
    if path.is_file() {
        return Ok(path);
    }
    Err(stop(format!("{} is gone", path.display())))
}

fn planned(plan: &Plan<'_>, plugin: &Plugin) -> String {
    let mut text = format!("Would install plugin `{}`:\n", escaped(&plugin.name));
    let files = plan.source.files.iter();
    let files: Vec<PathBuf> = files.map(|(file, _)| plan.target.join(file)).collect();
    list(&mut text, &files);
    list(&mut text, plan.unit.as_ref().map(|unit| &unit.path));
    if !plan.stale.is_empty() {
        text.push_str("Would move away:\n");
        list(&mut text, &plan.stale);
    }
    if let Some(unit) = &plan.unit {
        text.push('\n');
        text.push_str(&unit.text);
    }
    text
}

/// A line for each path.
fn list<'p>(text: &mut String, paths: impl IntoIterator<Item = &'p PathBuf>) {
    for path in paths {
        *text += &format!("  {}\n", shown(path));
    }
}

fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}
