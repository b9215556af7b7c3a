use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn log(path: PathBuf, max_bytes: u64, keep: u32) -> Log {
    Log {
        settings: Lines {
            path,
            max_bytes,
            keep,
        },
        file: None,
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn full_files_are_rotated_and_the_oldest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/too/i.jsonl");
    let mut log = log(path.clone(), 20, 2);
    for number in 0..9 {
        log.append(format!("{{\"n\":{number}}}").as_bytes())
            .unwrap();
    }
    // Eight bytes a line, so two in each file.
    assert_eq!(read(&path), "{\"n\":8}\n");
    assert_eq!(read(&numbered(&path, 1)), "{\"n\":6}\n{\"n\":7}\n");
    assert_eq!(read(&numbered(&path, 2)), "{\"n\":4}\n{\"n\":5}\n");
    assert!(!numbered(&path, 3).exists());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    // One that is longer than a file may be has a file of its own.
    let long = "x".repeat(100);
    log.append(long.as_bytes()).unwrap();
    log.append(b"y").unwrap();
    assert_eq!(read(&numbered(&path, 1)), format!("{long}\n"));
    assert_eq!(read(&path), "y\n");
}

#[test]
fn without_rotated_files_it_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("i.jsonl");
    let mut log = log(path.clone(), 4, 0);
    log.append(b"abc").unwrap();
    log.append(b"def").unwrap();
    assert_eq!(read(&path), "def\n");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_was_moved_or_deleted_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("i.jsonl");
    let mut log = log(path.clone(), 1_000, 5);
    log.append(b"a").unwrap();
    let moved = directory.path().join("i.jsonl-20260101");
    fs::rename(&path, &moved).unwrap();
    log.append(b"b").unwrap();
    assert_eq!((read(&moved), read(&path)), ("a\n".into(), "b\n".into()));
    fs::remove_file(&path).unwrap();
    log.append(b"c").unwrap();
    assert_eq!(read(&path), "c\n");
    // logrotate's copytruncate.
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    log.append(b"d").unwrap();
    assert_eq!(read(&path), "d\n");
}

#[test]
fn a_line_cut_in_half_does_not_spoil_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("i.jsonl");
    fs::write(&path, "{\"half").unwrap();
    log(path.clone(), 1_000, 5).append(b"{}").unwrap();
    assert_eq!(read(&path), "{\"half\n{}\n");
}

#[test]
fn links_pipes_and_full_disks_are_errors_that_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    symlink(at("elsewhere"), at("link")).unwrap();
    assert!(log(at("link"), 1_000, 5).append(b"x").is_err());
    assert!(!at("elsewhere").exists());
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), fifo, mode, 0).unwrap();
    assert!(log(at("fifo"), 1_000, 5).append(b"x").is_err());
    assert!(log("/dev/full".into(), 1_000, 5).append(b"x").is_err());
}
