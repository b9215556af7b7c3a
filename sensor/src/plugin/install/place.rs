//! Where plugins and their units go.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use crate::config::DEFAULT_PLUGINS;

/// The unit of the packages.
const PACKAGED: &str = "sensor.service";
/// Where the administrator's units are.
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// Where units of packages and of the moment are: ours would hide them.
const OTHER_SYSTEM_UNITS: [&str; 4] = [
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const OTHER_USER_UNITS: [&str; 3] = [
    "/etc/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
];

/// Whose service manager runs the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The host's.
    System,
    /// That of the user who calls.
    User,
}

/// Where an installation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Plugins are directories in it; absolute.
    pub base: PathBuf,
    /// Units are files in it; absolute.
    pub units: PathBuf,
    /// Whose units they are.
    pub scope: Scope,
}

impl Place {
    /// The usual place, or another `base`; the user's with `user`, and always
    /// without root.
    ///
    /// # Errors
    /// Where the user has no home, or there is no working directory.
    pub fn new(base: Option<&Path>, user: bool) -> io::Result<Self> {
        let root = rustix::process::geteuid().is_root();
        let scope = if user || !root {
            Scope::User
        } else {
            Scope::System
        };
        let (default, units) = match scope {
            Scope::System => (DEFAULT_PLUGINS.into(), SYSTEM_UNITS.into()),
            Scope::User => {
                let config = config_home()?;
                (config.join("sensor/plugins"), config.join("systemd/user"))
            }
        };
        let base = std::path::absolute(base.unwrap_or(&default))?;
        // Links above are the administrator's; the unit names where they lead.
        let base = base.canonicalize().unwrap_or(base);
        Ok(Self { base, units, scope })
    }

    /// Whether the unit of the packages is there, which runs every plugin of
    /// the usual place.
    #[must_use]
    pub fn is_watched_by_packages(&self) -> bool {
        let units = self.other_units().iter().map(Path::new);
        let mut units = units.chain([self.units.as_path()]);
        self.scope == Scope::System
            && self.base == Path::new(DEFAULT_PLUGINS)
            && units.any(|units| units.join(PACKAGED).exists())
    }

    /// Other directories of the same service manager.
    #[must_use]
    pub fn other_units(&self) -> &'static [&'static str] {
        match self.scope {
            Scope::System => &OTHER_SYSTEM_UNITS,
            Scope::User => &OTHER_USER_UNITS,
        }
    }
}

/// `$XDG_CONFIG_HOME` where it is absolute, else `~/.config`.
fn config_home() -> io::Result<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let variable = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".config"));
    variable
        .filter(absolute)
        .or_else(|| home().filter(absolute))
        .ok_or_else(|| io::Error::other("there is no home directory; set HOME"))
}
