//! A directory of plugins, and programs that they watch.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{process::built, sensor::Lines};

/// A directory that everybody may read, with plugins and programs.
#[derive(Debug)]
pub struct Plugins {
    directory: TempDir,
}

/// A plugin that watches one program of its own.
#[derive(Debug)]
pub struct Watched {
    /// Name of program, service and pattern; no other program has it.
    pub name: String,
    /// A copy of `workload`.
    pub program: PathBuf,
}

impl Watched {
    /// A command that runs the program as `workload` with these arguments.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().current_dir("/");
        command.stdin(process::Stdio::null());
        command
    }
}

impl Default for Plugins {
    fn default() -> Self {
        Self::new()
    }
}

impl Plugins {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("cannot make a directory");
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), all).expect("cannot change the mode");
        fs::create_dir(directory.path().join("plugins")).expect("cannot make a directory");
        Self { directory }
    }

    /// What to give to `--plugins`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("plugins")
    }

    /// The same as text.
    #[must_use]
    pub fn flag(&self) -> String {
        self.path().display().to_string()
    }

    /// A place for other files.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Copies a built binary to where everybody may run it.
    #[must_use]
    pub fn copy(&self, binary: &str, name: &str) -> PathBuf {
        let program = self.directory.path().join(name);
        fs::copy(built(binary), &program).expect("cannot copy a binary");
        program
    }

    /// A link to a program of the host: it is called as the link is.
    #[must_use]
    pub fn link(&self, program: &str, name: &str) -> PathBuf {
        let link = self.directory.path().join(name);
        std::os::unix::fs::symlink(program, &link).expect("cannot make a link");
        link
    }

    /// A program of the host under a name of its own, and the plugin that
    /// watches it; `more` are further tables in plugin.toml.
    #[must_use]
    pub fn watch_program(&self, program: &str, more: &str) -> Watched {
        let name = self.unique();
        self.plugin(&name, &format!("^{name}$"), more);
        Watched {
            program: self.link(program, &name),
            name,
        }
    }

    /// Writes a plugin.toml as it is.
    pub fn write(&self, name: &str, text: &str) {
        let directory = self.path().join(name);
        fs::create_dir_all(&directory).expect("cannot make a directory");
        fs::write(directory.join("plugin.toml"), text).expect("cannot write a plugin");
    }

    /// A name that no other program has, of at most 15 bytes.
    #[must_use]
    pub fn unique(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        // Fits comm, which has 15 bytes.
        format!("kt{}x{number}", process::id())
    }

    /// Writes a plugin whose service has the plugin's name; `rest` is what its
    /// file has to say besides.
    pub fn plugin(&self, name: &str, pattern: &str, rest: &str) {
        self.write(name, &plugin_text(name, pattern, rest));
    }

    /// A program of its own and the plugin that watches it by name.
    #[must_use]
    pub fn watch(&self, events: bool) -> Watched {
        self.watch_with(&format!("[events]\nenabled = {events}\n"))
    }

    /// The same with further tables in plugin.toml.
    #[must_use]
    pub fn watch_with(&self, more: &str) -> Watched {
        let name = self.unique();
        self.write(
            &name,
            &format!(
                "[plugin]\nname = \"{name}\"\ndescription = \"A test\"\nversion = \"1.0\"\n\
                 [service]\nnamespace = \"tests\"\nprocess_name = \"^{name}$\"\n\
                 [monitoring]\ninterval = 60\n\
                 [match]\non = \"name\"\n\
                 [otel_config]\nservice_name_template = \"{name}\"\n{more}"
            ),
        );
        let program = self.copy("workload", &name);
        Watched { name, program }
    }
}

/// A plugin.toml whose service has the plugin's name.
#[must_use]
pub fn plugin_text(name: &str, pattern: &str, rest: &str) -> String {
    format!(
        "[plugin]\nname = '{name}'\n\
         [service]\nnamespace = 'tests'\nprocess_name = '{pattern}'\n\
         [otel_config]\nservice_name_template = '{name}'\n{rest}\n"
    )
}

/// The service of this name in a report of `--output json`.
#[must_use]
pub fn service<'a>(report: &'a Value, name: &str) -> Option<&'a Value> {
    let services = report["services"].as_array()?;
    services.iter().find(|one| one["service.name"] == name)
}

/// The points of a metric; `None` where it is absent.
#[must_use]
pub fn points<'a>(service: &'a Value, metric: &str) -> Option<&'a Vec<Value>> {
    let metrics = service["metrics"].as_array()?;
    metrics.iter().find(|one| one["name"] == metric)?["points"].as_array()
}

/// The sum of the points of a metric that have this attribute, or of all.
#[must_use]
pub fn sum(service: &Value, metric: &str, attribute: Option<(&str, &str)>) -> Option<f64> {
    let points = points(service, metric)?.iter();
    let points = points.filter(|point| {
        attribute.is_none_or(|(key, value)| match &point["attributes"][key] {
            Value::String(text) => text == value,
            Value::Number(number) => format!("{number}") == value,
            _ => false,
        })
    });
    points.map(|point| point["value"].as_f64()).sum()
}

/// Waits for a report whose service meets a condition.
pub fn wait_service(
    lines: &Lines,
    name: &str,
    what: &str,
    condition: impl Fn(&Value) -> bool,
) -> Value {
    lines.wait(what, |said| {
        let last = said.lines.iter().rev();
        let mut services = last.filter_map(|report| service(report, name));
        services.next().filter(|one| condition(one)).cloned()
    })
}
