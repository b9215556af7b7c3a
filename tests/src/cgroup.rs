//! Cgroups of tests.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// A cgroup with little memory; gone when dropped.
#[derive(Debug)]
pub struct Small(PathBuf);

impl Small {
    /// Below where v1, or v2, has the memory controller.
    ///
    /// # Errors
    ///
    /// Why there can be none.
    pub fn new(name: &str, bytes: u64) -> Result<Self, String> {
        let limit = bytes.to_string();
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        let mut why = String::new();
        for (base, file) in places {
            let path = PathBuf::from(base).join(name);
            let made = fs::create_dir(&path).and_then(|()| fs::write(path.join(file), &limit));
            match made {
                Ok(()) => {
                    // Without it, what is too much is swapped out.
                    let _ = fs::write(path.join("memory.swap.max"), "0");
                    let _ = fs::write(path.join("memory.memsw.limit_in_bytes"), &limit);
                    return Ok(Self(path));
                }
                Err(error) => {
                    why = format!("{}: {error}", path.join(file).display());
                    let _ = fs::remove_dir(&path);
                }
            }
        }
        Err(why)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The command runs in it.
    pub fn hold(&self, command: &mut Command) {
        hold(&self.0, command);
    }

    /// Processes that the kernel killed in it for want of memory.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        let read = |file| fs::read_to_string(self.0.join(file));
        let text = read("memory.oom_control")
            .or_else(|_: io::Error| read("memory.events"))
            .expect("a cgroup tells what happened");
        let mut lines = text.lines();
        let kills = lines.find_map(|line| line.strip_prefix("oom_kill "));
        kills.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// A cgroup of the v2 hierarchy; gone when dropped.
#[derive(Debug)]
pub struct Unified(PathBuf);

impl Unified {
    /// `None` where there can be none.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let mut roots = roots.map(Path::new).into_iter();
        let root = roots.find(|root| root.join("cgroup.procs").exists())?;
        let path = root.join(name);
        fs::create_dir(&path).ok().map(|()| Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The command runs in it.
    pub fn hold(&self, command: &mut Command) {
        hold(&self.0, command);
    }
}

impl Drop for Unified {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn hold(path: &Path, command: &mut Command) {
    let procs = path.join("cgroup.procs");
    // SAFETY: writing a file allocates nothing that another thread could hold.
    unsafe { command.pre_exec(move || fs::write(&procs, "0")) };
}

/// The kernel takes a moment to forget the last process.
fn remove(path: &Path) {
    for _ in 0..4_000 {
        if fs::remove_dir(path).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
