//! What the figures were measured on, and with.

use std::{fs, path::Path, process::Command, sync::LazyLock};

use anyhow::{Context, Result, ensure};

use super::tools;
use crate::shell;

static LOAD: LazyLock<String> = LazyLock::new(|| {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
});

/// Notes the load before anything adds to it: what is measured does.
pub fn begin() {
    LazyLock::force(&LOAD);
}

/// Facts without which figures mean nothing, name and value.
pub fn facts() -> Vec<(&'static str, String)> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut facts = vec![
        ("CPU", model.trim().to_owned()),
        ("cores", cores.to_string()),
        ("kernel", kernel.trim().to_owned()),
        ("load at start", LOAD.clone()),
        ("sensor", revision()),
    ];
    for package in ["libbpf-tools", "bpftrace", "forkstat"] {
        if let Some(version) = package_version(package) {
            facts.push((package, version));
        }
    }
    facts
}

/// Fails where the figures would be those of no commit: nobody could repeat
/// them. The documents are excepted, or a benchmark that has written its section
/// would keep the next one from it.
pub fn is_committed() -> Result<()> {
    let changed = uncommitted(&shell::root()).context("what was measured has no name")?;
    ensure!(
        changed.is_empty(),
        "figures are written of what is committed; this is not:\n{changed}\
         Commit it or put it away (`git stash -u`), or measure without --write"
    );
    Ok(())
}

/// What of a repository is in no commit, but for its documents; a line each.
fn uncommitted(root: &Path) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(root);
    shell::output(git.args(["status", "--porcelain", "--", ".", ":!docs"]))
}

fn revision() -> String {
    let root = shell::root();
    let mut git = Command::new("git");
    git.current_dir(&root).args(["describe", "--always"]);
    let Ok(commit) = shell::first_line(&mut git) else {
        return "unknown revision".to_owned();
    };
    match uncommitted(&root) {
        Ok(changed) if changed.is_empty() => commit,
        _ => commit + "-dirty",
    }
}

fn package_version(package: &str) -> Option<String> {
    let query = tools::find("dpkg-query")?;
    let mut command = Command::new(query);
    command.args(["-W", "-f", "${Version}", package]);
    let output = command.output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !version.is_empty()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(root: &Path, args: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(root).args(["-c", "user.name=test"]);
        git.args(["-c", "user.email=test@localhost"]);
        git.args(["-c", "commit.gpgsign=false"]).args(args);
        shell::output(&mut git).unwrap();
    }

    #[test]
    fn all_but_the_documents_has_to_be_committed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        git(root, &["init", "--quiet"]);
        for folder in ["docs", "src", "src/docs"] {
            fs::create_dir(root.join(folder)).unwrap();
            fs::write(root.join(folder).join("file"), "before").unwrap();
        }
        git(root, &["add", "."]);
        git(root, &["commit", "--quiet", "--message", "all"]);
        assert_eq!(uncommitted(root).unwrap(), "");

        fs::write(root.join("docs/file"), "after").unwrap();
        fs::write(root.join("docs/new"), "").unwrap();
        assert_eq!(uncommitted(root).unwrap(), "");

        fs::write(root.join("src/docs/file"), "after").unwrap();
        fs::write(root.join("new"), "").unwrap();
        git(root, &["mv", "src/file", "src/moved"]);
        assert_eq!(
            uncommitted(root).unwrap(),
            " M src/docs/file\nR  src/file -> src/moved\n?? new\n"
        );
    }
}
