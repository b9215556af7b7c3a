use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::plugin::Unit;

const NOW: WallNanos = WallNanos(1_700_000_000_000_000_000);

struct Host {
    dir: tempfile::TempDir,
    place: Place,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let place = Place {
            base: root.join("base"),
            units: root.join("units"),
            scope: Scope::User,
        };
        Self { dir, place }
    }

    /// A source directory; its plugin is called `name`.
    fn source(&self, directory: &str, name: &str) -> PathBuf {
        let source = self.dir.path().join(directory);
        fs::create_dir_all(&source).unwrap();
        let text = format!(
            "[plugin]\nname = \"{name}\"\n[service]\nnamespace = \"t\"\nprocess_name = \"{name}\"\n"
        );
        fs::write(source.join("plugin.toml"), text).unwrap();
        source
    }

    fn install(&self, source: &Path, unit: Unit, force: bool) -> Result<Done, InstallError> {
        let (mut plugin, _) = checked(source, Path::new(""), None).map_err(InstallError::Plugin)?;
        plugin.unit = unit;
        let tree = Tree::read(source).unwrap();
        let plan = Plan::new(
            &plugin,
            &tree,
            &self.place,
            Some(Path::new("/bin/true")),
            force,
        )?;
        // What the reader of plugin.toml says is what the copy says.
        let (as_read, _) = checked(source, Path::new(""), None).map_err(InstallError::Plugin)?;
        plan.carry_out(&as_read, &self.place, NOW)
    }

    fn units(&self) -> Vec<String> {
        names(&self.place.units)
    }
}

fn unit(name: &str) -> Unit {
    Unit {
        name: Some(name.to_owned()),
        description: None,
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_unit_of_another_name_takes_the_place_of_the_former_one() {
    let host = Host::new();
    let source = host.source("a", "a");
    host.install(&source, unit("old"), false).unwrap();
    assert_eq!(host.units(), ["old.service"]);
    let done = host.install(&source, unit("new"), true).unwrap();
    let stamp = "backup-20231114T221320000000000Z";
    assert_eq!(
        host.units(),
        ["new.service".to_owned(), format!("old.service.{stamp}")]
    );
    assert_eq!(
        names(&host.place.base),
        [format!(".a.{stamp}"), "a".to_owned()]
    );
    assert_eq!(done.backups.len(), 2);
}

#[test]
fn a_unit_of_somebody_else_is_not_touched() {
    let host = Host::new();
    let (a, b) = (host.source("a", "a"), host.source("b", "b"));
    host.install(&a, unit("one"), false).unwrap();
    // That of another plugin: never.
    for force in [false, true] {
        let error = host.install(&b, unit("one"), force).unwrap_err();
        assert!(error.to_string().contains("runs another plugin"), "{error}");
    }
    // That of an administrator: with -f only, and kept.
    let theirs = host.place.units.join("theirs.service");
    fs::write(&theirs, "[Service]\n").unwrap();
    let error = host.install(&b, unit("theirs"), false).unwrap_err();
    assert!(matches!(error, InstallError::Taken(..)), "{error}");
    assert_eq!(names(&host.place.base), ["a"]);
    let done = host.install(&b, unit("theirs"), true).unwrap();
    let kept = fs::read_to_string(&done.backups[0]).unwrap();
    assert_eq!(kept, "[Service]\n");
}

#[test]
fn a_unit_without_its_plugin_is_replaced() {
    let host = Host::new();
    let source = host.source("a", "a");
    host.install(&source, unit("one"), false).unwrap();
    fs::remove_dir_all(host.place.base.join("a")).unwrap();
    host.install(&source, unit("one"), false).unwrap();
    assert_eq!(host.units(), ["one.service"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = "x".repeat(201);
    for name in [
        "", ".", "..", "../x", "a/b", "/etc", ".hidden", "a\nb", &long,
    ] {
        assert!(check_name(name).is_err(), "{name}");
        let host = Host::new();
        let error = Removal::new(name, &host.place).unwrap_err();
        assert!(matches!(error, InstallError::NotInstalled(_)), "{error}");
    }
    for name in ["a", "Strategy₿ x", "-x", "a..b"] {
        check_name(name).unwrap();
    }
}

#[test]
fn one_directory_within_the_other_is_refused() {
    let mut host = Host::new();
    let source = host.source("a", "a");
    host.place.base = source.canonicalize().unwrap().join("out");
    let error = host.install(&source, unit("a"), false).unwrap_err();
    assert!(error.to_string().contains("lies in the other"), "{error}");
    host.place.base = host.dir.path().canonicalize().unwrap();
    let error = host.install(&source, unit("a"), true).unwrap_err();
    assert!(error.to_string().contains("lies in the other"), "{error}");
    assert_eq!(names(&source), ["plugin.toml"]);
}

#[test]
fn links_are_not_copied_and_not_removed_through() {
    let host = Host::new();
    let source = host.source("a", "a");
    symlink("/etc/passwd", source.join("link")).unwrap();
    let error = host.install(&source, unit("a"), false).unwrap_err();
    assert!(
        error.to_string().contains("link is a symbolic link\n"),
        "{error}"
    );
    assert!(!host.place.base.exists());

    // An installed plugin that is a link to a checkout: the link goes.
    fs::remove_file(source.join("link")).unwrap();
    fs::create_dir(&host.place.base).unwrap();
    symlink(&source, host.place.base.join("a")).unwrap();
    Removal::new("a", &host.place)
        .unwrap()
        .carry_out(NOW)
        .unwrap();
    assert_eq!(names(&host.place.base), [""; 0]);
    assert_eq!(names(&source), ["plugin.toml"]);
}

#[test]
fn only_plugins_are_removed() {
    let host = Host::new();
    fs::create_dir_all(host.place.base.join("lib/deep")).unwrap();
    let error = Removal::new("lib", &host.place).unwrap_err();
    assert!(error.to_string().contains("holds no plugin"), "{error}");
    let error = Removal::new("nobody", &host.place).unwrap_err();
    assert!(error.to_string().contains("is not installed in"), "{error}");
}

#[test]
fn a_plugin_that_would_collide_with_an_installed_one_is_refused() {
    let host = Host::new();
    host.install(&host.source("a", "a"), unit("a"), false)
        .unwrap();
    let text = "[plugin]\nname = \"b\"\n[service]\nnamespace = \"t\"\nprocess_name = \"A\"\n";
    let source = host.source("b", "b");
    fs::write(source.join("plugin.toml"), text).unwrap();
    let problems = checked(&source, &host.place.base, None).unwrap_err();
    assert!(problems[0].message.contains("plugin `a`"), "{problems:?}");
    // Beside itself in the place it will have, it does not.
    let target = host.place.base.join("a");
    assert!(checked(&host.source("a", "a"), &host.place.base, Some(&target)).is_ok());
}

#[test]
fn a_source_that_changes_meanwhile_is_refused() {
    let host = Host::new();
    let source = host.source("a", "a");
    let (plugin, _) = checked(&source, Path::new(""), None).unwrap();
    let tree = Tree::read(&source).unwrap();
    let plan = Plan::new(&plugin, &tree, &host.place, None, false).unwrap();
    fs::write(source.join("plugin.toml"), "something else").unwrap();
    let error = plan.carry_out(&plugin, &host.place, NOW).unwrap_err();
    assert!(matches!(error, InstallError::Changed(_)), "{error}");
    assert!(!host.place.base.exists(), "{:?}", names(&host.place.base));
}

#[test]
fn what_appears_in_the_way_is_left_alone() {
    let host = Host::new();
    let source = host.source("a", "a");
    let (plugin, _) = checked(&source, Path::new(""), None).unwrap();
    let tree = Tree::read(&source).unwrap();
    let sensor = Path::new("/bin/true");
    let plan = Plan::new(&plugin, &tree, &host.place, Some(sensor), false).unwrap();
    // After the plan: a unit of that name, then a plugin of that name.
    fs::create_dir_all(&host.place.units).unwrap();
    let path = host.place.units.join("instana-a-monitor.service");
    fs::write(&path, "theirs").unwrap();
    let error = plan.carry_out(&plugin, &host.place, NOW).unwrap_err();
    assert!(matches!(error, InstallError::System { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    assert_eq!(host.units(), ["instana-a-monitor.service"]);
    assert!(!host.place.base.exists());

    fs::remove_file(&path).unwrap();
    fs::create_dir_all(host.place.base.join("a")).unwrap();
    fs::write(host.place.base.join("a/theirs"), "").unwrap();
    plan.carry_out(&plugin, &host.place, NOW).unwrap_err();
    assert_eq!(names(&host.place.base), ["a"]);
    assert_eq!(names(&host.place.base.join("a")), ["theirs"]);
    assert_eq!(host.units(), [""; 0]);
}

#[test]
fn modes_are_the_right_ones_whatever_those_of_the_source() {
    let host = Host::new();
    let source = host.source("a", "a");
    fs::create_dir(source.join("sub")).unwrap();
    fs::write(source.join("sub/run.sh"), "").unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    mode(&source.join("sub/run.sh"), 0o6777).unwrap();
    mode(&source.join("plugin.toml"), 0o600).unwrap();
    mode(&source.join("sub"), 0o777).unwrap();
    host.install(&source, Unit::default(), false).unwrap();
    let tree = Tree::read(&host.place.base.join("a")).unwrap();
    assert!(
        tree.files.iter().all(|(_, facts)| facts.mode == 0o644),
        "{tree:?}"
    );
    assert!(
        tree.directories.iter().all(|(_, mode)| *mode == 0o755),
        "{tree:?}"
    );
}
