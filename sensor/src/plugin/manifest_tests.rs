use std::{fs, os::unix::fs::symlink};

use proptest::prelude::*;

use super::super::verify::{Report, verify};
use super::*;

const NOW: WallNanos = WallNanos(1_700_000_000_000_000_000);
const LATER: WallNanos = WallNanos(1_800_000_000_000_000_001);

/// A directory with two files.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("docs")).unwrap();
    for (name, text) in [("plugin.toml", "abc"), ("docs/a \"b\".md", "")] {
        fs::write(dir.path().join(name), text).unwrap();
        let mode = Permissions::from_mode(0o640);
        fs::set_permissions(dir.path().join(name), mode).unwrap();
    }
    dir
}

fn text(dir: &tempfile::TempDir) -> String {
    fs::read_to_string(dir.path().join(MANIFEST)).unwrap()
}

/// The lines of a report.
fn told(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

fn problems(text: &str) -> Vec<String> {
    let problems = Manifest::parse(Path::new("m"), text.as_bytes()).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_written_is_verified() {
    let dir = directory();
    let written = write(dir.path(), Some("1.2"), NOW).unwrap();
    assert_eq!(written.files, 2);
    assert_eq!(
        text(&dir),
        "version = \"1.2\"\nschema_version = 1\ngenerated = \"2023-11-14T22:13:20.000000000Z\"\n\n\
         [files.'docs/a \"b\".md']\n\
         sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n\
         size = 0\nmode = \"0640\"\n\n\
         [files.\"plugin.toml\"]\n\
         sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n\
         size = 3\nmode = \"0640\"\n"
    );
    let report = verify(dir.path()).unwrap();
    assert!(report.is_clean() && report.warnings.is_empty());
    assert_eq!(
        told(&report),
        [
            "✅ File checksum verified: docs/a \"b\".md",
            "✅ File checksum verified: plugin.toml"
        ]
    );
}

#[test]
fn every_difference_has_its_line() {
    let dir = directory();
    write(dir.path(), None, NOW).unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("plugin.toml"), "abd").unwrap();
    fs::remove_file(at("docs/a \"b\".md")).unwrap();
    fs::write(at("new"), "").unwrap();
    symlink("/etc/passwd", at("link")).unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!(
        told(&report),
        [
            "❌ Missing file: docs/a \"b\".md",
            "❌ Extra file: link",
            "❌ Extra file: new",
            "❌ Checksum mismatch detected for: plugin.toml"
        ]
    );
    assert_eq!(report.warnings, ["link is a symbolic link"]);
}

#[test]
fn a_link_to_the_right_bytes_is_a_mismatch() {
    let dir = directory();
    write(dir.path(), None, NOW).unwrap();
    let other = tempfile::NamedTempFile::new().unwrap();
    fs::write(other.path(), "abc").unwrap();
    fs::remove_file(dir.path().join("plugin.toml")).unwrap();
    symlink(other.path(), dir.path().join("plugin.toml")).unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!(
        told(&report)[1],
        "❌ Checksum mismatch detected for: plugin.toml"
    );
}

#[test]
fn modes_warn_and_what_everybody_may_write_fails() {
    let dir = directory();
    write(dir.path(), None, NOW).unwrap();
    let change = |name: &str, mode| {
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(mode)).unwrap();
    };
    change("plugin.toml", 0o755);
    let report = verify(dir.path()).unwrap();
    assert!(report.is_clean());
    let warning = "plugin.toml: the mode is 0755, the manifest says 0640";
    assert_eq!(report.warnings, [warning]);

    for name in ["plugin.toml", MANIFEST, "docs", "."] {
        let before = fs::metadata(dir.path().join(name)).unwrap();
        change(name, 0o777);
        let report = verify(dir.path()).unwrap();
        let line = format!("❌ World-writable: {name}");
        assert!(told(&report).contains(&line), "{report:?}");
        fs::set_permissions(dir.path().join(name), before.permissions()).unwrap();
    }
}

#[test]
fn writing_again_changes_the_time_only_and_keeps_what_others_wrote() {
    let dir = directory();
    write(dir.path(), None, NOW).unwrap();
    assert!(text(&dir).contains("version = \"unknown\""));
    let theirs = format!(
        "# signed by us\n{}\nreviewed = true # by hand\n[release]\nby = \"us\"\n[[release.notes]]\nat = 1\n",
        text(&dir)
    );
    fs::write(dir.path().join(MANIFEST), &theirs).unwrap();
    write(dir.path(), None, LATER).unwrap();
    let change = |text: &str| text.replace(&NOW.to_string(), &LATER.to_string());
    assert_eq!(text(&dir), change(&theirs));

    // A version of the plugin goes before what stood there; files come and go.
    fs::rename(dir.path().join("plugin.toml"), dir.path().join("z")).unwrap();
    write(dir.path(), Some("2"), LATER).unwrap();
    let now = text(&dir);
    assert!(now.contains("version = \"2\"") && now.contains("[[release.notes]]"));
    assert!(now.contains("[files.z]") && !now.contains("plugin.toml"));
    assert!(verify(dir.path()).unwrap().is_clean());
}

#[test]
fn files_in_any_notation_are_kept_up_to_date() {
    let dir = directory();
    let sha = "0".repeat(64);
    let inline = format!(
        "schema_version = 1\nfiles = {{ z = {{ sha256 = \"{sha}\", size = 1, mode = \"0644\" }} }}\n"
    );
    for old in [inline.as_str(), "files = 3\n", "[files]\n", ""] {
        fs::write(dir.path().join(MANIFEST), old).unwrap();
        assert_eq!(write(dir.path(), None, NOW).unwrap().invalid, None);
        assert!(verify(dir.path()).unwrap().is_clean(), "{}", text(&dir));
    }
}

#[test]
fn one_that_is_no_toml_is_kept_beside_the_new_one() {
    let dir = directory();
    fs::write(dir.path().join(MANIFEST), "[release\nby = 1").unwrap();
    let written = write(dir.path(), None, NOW).unwrap();
    let kept = written.invalid.unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "[release\nby = 1");
    assert!(verify(dir.path()).unwrap().is_clean());
}

#[test]
fn what_is_no_file_cannot_be_vouched_for() {
    let dir = directory();
    symlink("plugin.toml", dir.path().join("link")).unwrap();
    symlink("/etc", dir.path().join("dir")).unwrap();
    let error = write(dir.path(), None, NOW).unwrap_err().to_string();
    let line = |name| format!("{}/{name} is a symbolic link", dir.path().display());
    assert_eq!(
        error,
        format!("{}\n{}\n{REMEDY}", line("dir"), line("link"))
    );
    assert!(!dir.path().join(MANIFEST).exists());
}

#[test]
fn a_directory_without_files_has_a_manifest_too() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), None, NOW).unwrap();
    assert!(verify(dir.path()).unwrap().findings.is_empty());
}

#[test]
fn every_problem_is_told_with_its_line() {
    let found = problems(
        "schema_version = 2\nversion = 1\n[files.a]\nsha256 = \"x\"\nsize = -1\n\
         [files.\"../b\"]\nsha256 = 1\nmode = \"0844\"\n[files]\nc = 1\n",
    );
    assert_eq!(
        found,
        [
            "m:1: schema_version: 2 is out of range; it must be from 1 to 1",
            "m:2: version: wrong type: expected a string, found a whole number",
            "m:3: files.a.mode: is missing",
            "m:4: files.a.sha256: must be 64 hex digits",
            "m:5: files.a.size: -1 is out of range; it must be from 0 to 9223372036854775807",
            "m:6: files.\"../b\": is no path of a file below the directory",
            "m:6: files.\"../b\".size: is missing",
            "m:7: files.\"../b\".sha256: wrong type: expected a string, found a whole number",
            "m:8: files.\"../b\".mode: must be an octal mode such as \"0644\"",
            "m:10: files.c: wrong type: expected a table, found a whole number",
        ]
    );
    assert_eq!(
        problems(""),
        ["m: files: is missing", "m: schema_version: is missing"]
    );
}

#[test]
fn modes_alone_can_be_changed() {
    let dir = directory();
    write(dir.path(), None, NOW).unwrap();
    let changed = with_modes(text(&dir).as_bytes(), 0o644).unwrap();
    assert_eq!(changed, text(&dir).replace("0640", "0644"));
}

/// Any bytes are read without a panic, and made a valid manifest.
fn exercise(bytes: &[u8]) {
    let _ = Manifest::parse(Path::new(MANIFEST), bytes);
    let _ = with_modes(bytes, 0o644);
    let new = rewritten(bytes);
    let read = Manifest::parse(Path::new(MANIFEST), new.as_bytes());
    assert_eq!(read.map(|manifest| manifest.files.len()), Ok(0), "{new}");
}

#[test]
fn files_that_are_gone_leave_a_valid_manifest() {
    for text in [
        "[files.x]\nsize = 1\n",
        "[files.\"a/b\"]\nmode = \"0644\"\n[files.c]\n",
        "files.x = {}\n",
        "files.x.size = 1\n",
        "files = { x = {} }\n",
        "[[files]]\n",
        "files = 1\n",
    ] {
        exercise(text.as_bytes());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }

    #[test]
    fn text_like_a_manifest_never_panics(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[files", "files", ".", "\"a/b\"", "\"..\"", "]", "[[", "]]", "\n", " = ", "{", "}",
            "sha256", "size", "mode", "\"0644\"", "1", "-9e9", "schema_version", "generated",
            "'''", "\"\"\"", "#", "é", "\r", "1979-05-27",
        ]), 0..60)
    ) {
        exercise(parts.concat().as_bytes());
    }

    /// A manifest of anything reads as what was written.
    #[test]
    fn what_is_rendered_is_read(
        names in prop::collection::btree_map("[^/\0]{1,12}(/[^/\0]{1,12}){0,2}", any::<[u8; 32]>(), 0..6)
    ) {
        let facts = |sha: &[u8; 32]| Facts { sha256: Sha(*sha), size: u64::from(sha[0]), mode: 0o644 };
        let files: Vec<(String, Facts)> = names
            .iter()
            .filter(|(path, _)| is_below(path))
            .map(|(path, sha)| (path.clone(), facts(sha)))
            .collect();
        let mut document = DocumentMut::default();
        update(&mut document, &files, None, NOW);
        let read = Manifest::parse(Path::new("m"), document.to_string().as_bytes());
        prop_assert_eq!(read.map(|manifest| manifest.files), Ok(files.into_iter().collect()));
    }
}

#[test]
fn a_deep_one_does_not_end_the_process() {
    for part in ["[", "{a=", "a."] {
        exercise(format!("a = {}", part.repeat(100_000)).as_bytes());
        exercise(format!("[{}]", part.repeat(100_000)).as_bytes());
    }
}
