use std::fs;

use tempfile::TempDir;

use super::*;
use crate::config::HostMode;

struct Place {
    directory: TempDir,
    plugins: Plugins,
}

impl Place {
    /// Two plugins, `a` and `b`.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            write(directory.path(), name, name, name);
        }
        fs::write(directory.path().join("sensor.toml"), "").unwrap();
        let dirs = [directory.path().join("plugins")];
        let file = directory.path().join("sensor.toml");
        let config = Config::load(&file, true).unwrap();
        let plugins = Plugins::load(
            Selection {
                dirs: dirs.to_vec(),
                ..Selection::default()
            },
            Some(&file),
            &config,
        )
        .unwrap();
        Self { directory, plugins }
    }

    fn write(&self, directory: &str, name: &str, process: &str) {
        write(self.directory.path(), directory, name, process);
    }

    fn config(&self, text: &str) {
        fs::write(self.directory.path().join("sensor.toml"), text).unwrap();
    }

    fn plugin(&self, directory: &str) -> PathBuf {
        self.directory.path().join("plugins").join(directory)
    }

    /// The line of changes, `None` without any.
    fn reload(&mut self) -> Option<String> {
        let before = self.plugins.reload(&[])?;
        Some(self.plugins.changes(&before))
    }

    fn patterns(&self) -> Vec<&str> {
        let plugins = self.plugins.current().iter();
        plugins.map(|plugin| &*plugin.services[0].pattern).collect()
    }
}

fn write(root: &Path, directory: &str, name: &str, process: &str) {
    let directory = root.join("plugins").join(directory);
    fs::create_dir_all(&directory).unwrap();
    let text = format!(
        "[plugin]\nname = '{name}'\n[service]\nnamespace = 'n'\nprocess_name = '{process}'\n\
         [otel_config]\nservice_name_template = '{name}'\n"
    );
    fs::write(directory.join("plugin.toml"), text).unwrap();
}

#[test]
fn what_is_the_same_is_no_change() {
    let mut place = Place::new();
    assert_eq!(place.reload(), None);
    place.write("a", "a", "a");
    assert_eq!(place.reload(), None);
    place.write("c", "c", "c");
    place.write("a", "a", "x");
    fs::remove_dir_all(place.plugin("b")).unwrap();
    let line = place.reload();
    assert_eq!(line.as_deref(), Some("added c; changed a; removed b"));
    assert_eq!(place.patterns(), ["x", "c"]);
    assert_eq!(place.reload(), None);
}

#[test]
fn a_broken_plugin_goes_on_as_it_was() {
    let mut place = Place::new();
    place.write("a", "a", "(");
    assert_eq!(place.reload(), None);
    assert!(place.plugins.is_broken());
    // Others change meanwhile.
    place.write("b", "b", "x");
    assert_eq!(place.reload().as_deref(), Some("changed b"));
    assert_eq!(place.patterns(), ["a", "x"]);
    // Its file is gone and its directory is there: broken, not removed.
    fs::remove_file(place.plugin("a").join("plugin.toml")).unwrap();
    assert_eq!(place.reload(), None);
    place.write("a", "a", "y");
    assert_eq!(place.reload().as_deref(), Some("changed a"));
    assert!(!place.plugins.is_broken());
    assert_eq!(place.patterns(), ["y", "x"]);
}

#[test]
fn nobody_takes_the_service_of_one_that_goes_on() {
    let mut place = Place::new();
    // Two that collide: the one that was there goes on.
    place.write("c", "a", "c");
    assert_eq!(place.reload(), None);
    assert_eq!(place.patterns(), ["a", "b"]);
    // The same where that one is broken, and so would not collide.
    place.write("a", "a", "(");
    assert_eq!(place.reload(), None);
    assert_eq!(place.patterns(), ["a", "b"]);
    fs::remove_dir_all(place.plugin("a")).unwrap();
    assert_eq!(place.reload().as_deref(), Some("added a; removed a"));
    assert_eq!(place.patterns(), ["b", "c"]);
}

#[test]
fn one_that_is_being_written_waits() {
    let mut place = Place::new();
    place.write("a", "a", "x");
    place.write("b", "b", "x");
    place.write("c", "c", "x");
    let written = [place.plugin("a"), place.plugin("c")];
    let before = place.plugins.reload(&written).unwrap();
    assert_eq!(place.plugins.changes(&before), "changed b");
    assert_eq!(place.patterns(), ["a", "x"]);
    assert_eq!(place.reload().as_deref(), Some("added c; changed a"));
}

#[test]
fn a_directory_that_is_away_takes_nobody_with_it() {
    let mut place = Place::new();
    let (here, away) = (place.plugin(""), place.directory.path().join("away"));
    fs::rename(&here, &away).unwrap();
    assert_eq!(place.reload(), None);
    assert!(place.plugins.is_broken());
    fs::rename(&away, &here).unwrap();
    assert_eq!(place.reload(), None);
    assert!(!place.plugins.is_broken());
}

#[test]
fn the_last_one_leaves_what_the_configuration_says() {
    let mut place = Place::new();
    for name in ["a", "b"] {
        fs::remove_dir_all(place.plugin(name)).unwrap();
    }
    let line = place.reload();
    assert_eq!(line.as_deref(), Some("added host; removed a, b"));
    place.config("[host]\nenabled = 'never'\n");
    assert_eq!(place.reload().as_deref(), Some("removed host"));
    assert!(place.patterns().is_empty());
    // A broken configuration stays as it was.
    place.config("[host]\nenabled = 'x'\n");
    assert_eq!(place.reload(), None);
    assert_eq!(place.plugins.config().host, HostMode::Never);
    place.config("interval = '7s'\n");
    assert_eq!(place.reload().as_deref(), Some("added host"));
    assert_eq!(place.plugins.config().interval.as_secs(), 7);
}

#[test]
fn what_cannot_be_used_is_undone() {
    let mut place = Place::new();
    place.write("a", "a", "x");
    let before = place.plugins.reload(&[]).unwrap();
    place.plugins.undo(before);
    assert_eq!(place.patterns(), ["a", "b"]);
    assert_eq!(place.reload().as_deref(), Some("changed a"));
}

#[test]
fn what_waits_for_a_restart_is_known_until_it_is_as_before() {
    let mut place = Place::new();
    place.config(
        "[limits]\ngroups = 7\nprocesses = 9\n\
         [export.otlp]\nendpoint = 'http://localhost:1'\n\
         [receiver]\nhttp = '127.0.0.1:1'\n",
    );
    assert!(place.reload().is_some());
    let waits = ["`[limits]`", "`[export.otlp]`", "`[receiver]` http"];
    assert_eq!(place.plugins.put_off, waits);
    // The number of groups is taken over at once.
    place.config("[limits]\ngroups = 7\n");
    assert_eq!(place.reload(), None);
    assert!(place.plugins.put_off.is_empty());
}
