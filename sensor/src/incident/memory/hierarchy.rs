//! Where memory is accounted, and what the counters there say.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where memory is accounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its directory.
    pub root: PathBuf,
    /// What of it is mounted there; `/` as a rule.
    pub mounted: String,
    pub version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Hierarchy {
    /// Where memory is accounted, by /proc/PID/mountinfo (proc(5)).
    pub fn find(mounts: &str) -> Option<Self> {
        let found = |wanted: Version| {
            mounts.lines().find_map(|line| {
                let (mount, rest) = line.split_once(" - ")?;
                let mut rest = rest.split(' ');
                let version = match rest.next()? {
                    "cgroup" => Version::One,
                    "cgroup2" => Version::Two,
                    _ => return None,
                };
                let mut fields = mount.split(' ').skip(3);
                let mounted = fields.next()?.to_owned();
                let root = PathBuf::from(fields.next()?);
                let accounts = match version {
                    Version::One => rest.nth(1)?.split(',').any(|option| option == "memory"),
                    Version::Two => fs::read_to_string(root.join("cgroup.controllers"))
                        .is_ok_and(|all| all.split_whitespace().any(|one| one == "memory")),
                };
                (version == wanted && accounts).then_some(Self {
                    root,
                    mounted,
                    version,
                })
            })
        };
        found(Version::Two).or_else(|| found(Version::One))
    }

    /// The directory where a cgroup's memory is accounted, its own, or that of
    /// the nearest parent that has the controller; and its kills.
    pub fn counter(&self, path: &str) -> Option<(PathBuf, u64)> {
        let mut dirs = self.dirs(path)?.peekable();
        if !dirs.peek()?.is_dir() {
            return None;
        }
        let mut found = dirs.filter_map(|dir| self.kills(&dir).map(|kills| (dir, kills)));
        found.next()
    }

    /// The directory of a cgroup, whether or not it is there, and those of its
    /// parents, the nearest first.
    pub fn dirs(&self, path: &str) -> Option<impl Iterator<Item = PathBuf>> {
        let below = path.strip_prefix(&self.mounted).unwrap_or(path);
        let below = Path::new(below.trim_start_matches('/'));
        let plain = |part| matches!(part, std::path::Component::Normal(_));
        // Otherwise outside of the namespace that the sensor sees.
        let seen = below.components().all(plain);
        seen.then(|| below.ancestors().map(|below| self.root.join(below)))
    }

    /// Processes of the cgroup that the kernel has killed since it was made.
    pub fn kills(&self, dir: &Path) -> Option<u64> {
        let names: &[&str] = match self.version {
            Version::One => &["memory.oom_control"],
            // The second one counts those below, too.
            Version::Two => &["memory.events.local", "memory.events"],
        };
        let mut texts = names.iter().map(|name| fs::read_to_string(dir.join(name)));
        kills(&texts.find_map(Result::ok)?)
    }

    pub fn name_of(&self, dir: &Path) -> String {
        let below = dir.strip_prefix(&self.root).unwrap_or(dir);
        format!("/{}", below.display())
    }
}

/// The number behind `oom_kill`.
pub(super) fn kills(text: &str) -> Option<u64> {
    let number = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(number)
}

/// The path in the memory hierarchy of version 1, of /proc/PID/cgroup.
pub(super) fn memory_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let mut controllers = controllers.split(',');
        controllers.any(|one| one == "memory").then_some(path)
    })
}
