//! `git`: which commit was deployed, where a file tells. No program is asked:
//! the files of a repository are read as gitrepository-layout(5) says.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Cache, Case, Cost, Facts, Kind, Notes, container::Place, look};

/// The provider.
pub static KIND: Kind = Kind {
    name: "git",
    // Deployments may lie on a file system that is far away.
    cost: Cost::UpTo(Duration::from_millis(500)),
    cache: Cache::Process(Duration::from_secs(60)),
    gather,
};

/// Directories that are looked into, upward.
const LEVELS: usize = 32;
/// Most bytes that are read of a file with many refs.
const REFS_BYTES: u64 = 4 << 20;
/// Files that deployments leave behind instead of a repository.
const REVISIONS: [&str; 4] = ["REVISION", ".git-commit", "GIT_COMMIT", ".revision"];

fn gather(case: &Case) -> Result<Facts, String> {
    let mut notes = Notes::default();
    for place in places(case) {
        let Some(found) = deployment(&place) else {
            continue;
        };
        notes.text("commit", Some(found.commit));
        notes.text("branch", found.branch);
        break;
    }
    Ok(notes.0)
}

/// Where to begin: at the script before the interpreter.
fn places(case: &Case) -> Vec<PathBuf> {
    let Some(process) = &case.process else {
        return Vec::new();
    };
    let alive = case.alive();
    let cgroup = process.cgroup.as_deref().map(Place::of).unwrap_or_default();
    let root = match (&alive, cgroup.id) {
        // As the process sees it.
        (Some(directory), _) => match is_our_root(&directory.join("root")) {
            true => PathBuf::from("/"),
            false => directory.join("root"),
        },
        // Its files went with it; the host has others by the same names.
        (None, Some(_)) => return Vec::new(),
        (None, None) => PathBuf::from("/"),
    };
    let cwd = alive.and_then(|directory| fs::read_link(directory.join("cwd")).ok());
    let args = process
        .args
        .iter()
        .flat_map(|args| args.args.iter().skip(1));
    let scripts = args.take(16).filter_map(|arg| {
        let path = Path::new(std::str::from_utf8(arg).ok()?);
        let looks_like_a_file =
            !arg.starts_with(b"-") && arg.contains(&b'.') || arg.contains(&b'/');
        let path = match path.is_absolute() {
            true => path.to_owned(),
            false => cwd.as_ref()?.join(path),
        };
        looks_like_a_file.then_some(path)
    });
    let scripts: Vec<PathBuf> = scripts.collect();
    let executable = case.executable().map(PathBuf::from);
    scripts
        .into_iter()
        .chain(executable)
        .filter_map(|path| {
            let below = path.strip_prefix("/").ok()?;
            let there = root.join(below);
            fs::metadata(&there)
                .is_ok_and(|kind| kind.is_file())
                .then(|| {
                    // A link to a release leads to the release's own repository; in
                    // a container it would lead to a name of ours.
                    let real = match root == Path::new("/") {
                        true => fs::canonicalize(&there).unwrap_or(there),
                        false => there,
                    };
                    real.parent().map(Path::to_owned)
                })?
        })
        .collect()
}

fn is_our_root(root: &Path) -> bool {
    let same = |one: &fs::Metadata, other: &fs::Metadata| {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    };
    let both = (fs::metadata(root), fs::metadata("/"));
    matches!(&both, (Ok(root), Ok(ours)) if same(root, ours))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Deployment {
    commit: String,
    branch: Option<String>,
}

/// The nearest commit that is told at or above a directory.
fn deployment(start: &Path) -> Option<Deployment> {
    start.ancestors().take(LEVELS).find_map(|directory| {
        REVISIONS
            .iter()
            .find_map(|name| revision(&directory.join(name)))
            .or_else(|| head(&git_directory(directory)?))
    })
}

fn revision(path: &Path) -> Option<Deployment> {
    let text = look::text(path, 256).ok()?;
    let commit = commit(text.lines().next()?)?;
    Some(Deployment {
        commit,
        branch: None,
    })
}

/// `.git`, or where a file of that name says it is.
fn git_directory(directory: &Path) -> Option<PathBuf> {
    let path = directory.join(".git");
    let kind = fs::metadata(&path).ok()?;
    if kind.is_dir() {
        return Some(path);
    }
    let text = look::text(&path, 4_096).ok()?;
    let target = text.strip_prefix("gitdir:")?.lines().next()?.trim();
    Some(directory.join(target))
}

fn head(git: &Path) -> Option<Deployment> {
    let text = look::text(&git.join("HEAD"), 4_096).ok()?;
    let line = text.lines().next()?.trim();
    let Some(name) = line.strip_prefix("ref:").map(str::trim) else {
        return Some(Deployment {
            commit: commit(line)?,
            branch: None,
        });
    };
    // What is no name of a ref must not lead out of the repository.
    if !name.starts_with("refs/") || name.split('/').any(|part| part.is_empty() || part == "..") {
        return None;
    }
    // A worktree has its refs in the repository that it is of.
    let common = look::text(&git.join("commondir"), 4_096).ok();
    let common = common.map(|text| git.join(text.trim()));
    let directories = [Some(git.to_owned()), common];
    let found = directories.iter().flatten().find_map(|directory| {
        let loose = look::text(&directory.join(name), 256).ok();
        let loose = loose.and_then(|text| commit(text.lines().next()?));
        loose.or_else(|| {
            packed(
                &look::text(&directory.join("packed-refs"), REFS_BYTES).ok()?,
                name,
            )
        })
    });
    Some(Deployment {
        commit: found?,
        branch: name.strip_prefix("refs/heads/").map(str::to_owned),
    })
}

/// Lines of a commit, a blank and a name.
fn packed(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| {
        let (hash, known) = line.split_once(' ')?;
        (known.trim_end() == name).then_some(hash)
    });
    commit(line?)
}

/// A whole SHA-1 or SHA-256, or what is left of one when it was shortened.
fn commit(text: &str) -> Option<String> {
    let text = text.trim();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    ((7..=64).contains(&text.len()) && is_hex).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        process::event::{Arguments, Value},
        units::BootNanos,
    };

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn told(files: &[(&str, &str)], start: &str) -> Option<(String, Option<String>)> {
        let tree = tree(files);
        let found = deployment(&tree.path().join(start))?;
        Some((found.commit, found.branch))
    }

    #[test]
    fn commits_are_found_however_they_are_kept() {
        let found = |commit: &str, branch: Option<&str>| {
            Some((commit.to_owned(), branch.map(str::to_owned)))
        };
        let head = (".git/HEAD", "ref: refs/heads/main/x\n");
        for (files, expected) in [
            (vec![(".git/HEAD", A), ("src/bin/x", "")], found(A, None)),
            (
                vec![head, (".git/refs/heads/main/x", "aaaaaaa\n")],
                found("aaaaaaa", Some("main/x")),
            ),
            (
                vec![
                    head,
                    (
                        ".git/packed-refs",
                        "# pack-refs with: peeled\nbbbbbbb refs/heads/main\naaaaaaa refs/heads/main/x\n^ccccccc\n",
                    ),
                ],
                found("aaaaaaa", Some("main/x")),
            ),
            (vec![(".git/HEAD", "ref: refs/heads/none")], None),
            (
                vec![(".git/HEAD", "ref: ../../REVISION"), ("x/REVISION", A)],
                None,
            ),
            (
                vec![(".git/HEAD", "ref: refs/../../secret"), ("secret", A)],
                None,
            ),
            (
                vec![
                    ("REVISION", &format!("{}\n", A.to_uppercase())),
                    (".git/HEAD", B),
                ],
                found(A, None),
            ),
            (vec![("REVISION", "v1.2.3")], None),
            (
                vec![("src/.git-commit", A), ("REVISION", B)],
                found(A, None),
            ),
            (
                vec![
                    ("src/.git", "gitdir: ../.git/worktrees/w\n"),
                    (".git/worktrees/w/HEAD", "ref: refs/heads/side"),
                    (".git/worktrees/w/commondir", "../..\n"),
                    (".git/refs/heads/side", B),
                ],
                found(B, Some("side")),
            ),
        ] {
            let start = tree(&files);
            drop(start);
            let mut files = files;
            files.push(("src/bin/y", ""));
            assert_eq!(told(&files, "src/bin"), expected, "{files:?}");
        }
    }

    #[test]
    fn a_repository_made_of_pipes_does_not_hang() {
        let tree = tree(&[("src/x", "")]);
        let make = |name: &str| {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let kind = rustix::fs::FileType::Fifo;
            let path = tree.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        };
        make("src/.git");
        make("REVISION");
        make(".git/HEAD");
        assert_eq!(deployment(&tree.path().join("src")), None);
    }

    #[test]
    fn the_script_goes_before_the_interpreter() {
        let tree = tree(&[("app/REVISION", A), ("app/bin/run.sh", ""), ("x", "")]);
        let mut case = Case::of_living(std::process::id());
        let process = case.process.as_mut().unwrap();
        let script = tree.path().join("app/bin/run.sh");
        process.args = Some(Arc::new(Arguments {
            args: vec![
                b"/bin/sh".to_vec(),
                b"-e".to_vec(),
                script.into_os_string().into_encoded_bytes(),
            ],
            truncated: false,
        }));
        let facts = gather(&case).unwrap();
        assert_eq!(facts["commit"], Value::Text(A.to_owned()));
        // Dead, it is found all the same, but not where its files were others.
        let process = case.process.as_mut().unwrap();
        process.start = BootNanos(u64::MAX);
        assert_eq!(gather(&case).unwrap()["commit"], Value::Text(A.to_owned()));
        let id = "0".repeat(64);
        case.process.as_mut().unwrap().cgroup = Some(format!("/docker/{id}").into());
        assert!(gather(&case).unwrap().is_empty());
    }
}
