//! Paths of cgroups by their id.
//!
//! The id that a hook reports is the inode number of the cgroup's directory in
//! the cgroup v2 hierarchy.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Ids that were looked for in vain are kept, so that nobody can make the
/// sensor walk the tree again and again.
const UNKNOWN_KEPT: usize = 4_096;
/// Directories that one walk looks at.
const WALK_LIMIT: usize = 20_000;

/// Finds paths of cgroups.
#[derive(Debug)]
pub struct Cgroups {
    root: Option<PathBuf>,
    unknown: HashSet<u64>,
}

impl Cgroups {
    /// Looks for the cgroup v2 mount.
    #[must_use]
    pub fn new() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let root = mounts.lines().find_map(|line| {
            let (mount, filesystem) = line.split_once(" - ")?;
            filesystem
                .starts_with("cgroup2 ")
                .then(|| mount.split(' ').nth(4).map(PathBuf::from))?
        });
        Self {
            root,
            unknown: HashSet::new(),
        }
    }

    /// The path of a cgroup, `/` for the root; `hint` is where a process of it
    /// says that it is. `None` where the cgroup is gone.
    pub fn path(&mut self, id: u64, hint: Option<&str>) -> Option<Arc<str>> {
        let root = self.root.as_deref()?;
        if let Some(hint) = hint
            && is(root.join(hint.trim_start_matches('/')).as_path(), id)
        {
            return Some(hint.into());
        }
        if self.unknown.contains(&id) {
            return None;
        }
        let found = walk(root, id);
        if found.is_none() {
            if self.unknown.len() >= UNKNOWN_KEPT {
                self.unknown.clear();
            }
            self.unknown.insert(id);
        }
        found
    }
}

impl Default for Cgroups {
    fn default() -> Self {
        Self::new()
    }
}

fn is(path: &Path, id: u64) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.ino() == id)
}

fn walk(root: &Path, id: u64) -> Option<Arc<str>> {
    if is(root, id) {
        return Some("/".into());
    }
    let mut left = vec![root.to_path_buf()];
    let mut seen = 0;
    while let Some(directory) = left.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.path();
            if entry.ino() == id {
                let below = path.strip_prefix(root).ok()?;
                return Some(format!("/{}", below.to_string_lossy()).into());
            }
            seen += 1;
            if seen > WALK_LIMIT {
                return None;
            }
            left.push(path);
        }
    }
    None
}
