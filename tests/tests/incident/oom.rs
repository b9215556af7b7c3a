//! Killed for want of memory.

use std::{fs, os::unix::process::CommandExt, path::PathBuf};

use sensor_tests::sensor::skipped;

use super::*;

/// A cgroup with little memory; gone when dropped.
struct Small(PathBuf);

impl Small {
    /// Below where v1, or v2, has the memory controller.
    fn new(name: &str) -> Result<Self, String> {
        let limit = (16 << 20).to_string();
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
}

impl Drop for Small {
    fn drop(&mut self) {
        // The kernel takes a moment to forget the last process.
        for _ in 0..1_000 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn out_of_memory_is_what_the_kernel_says() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let small = match Small::new(&watched.name) {
        Ok(small) => small,
        Err(why) => return skipped("out_of_memory_is_what_the_kernel_says", &why),
    };
    let events = Events::start(&["--plugins", &plugins.flag()]);
    let desk = Desk {
        plugins,
        watched,
        events,
    };
    let procs = small.0.join("cgroup.procs");
    // 64 MiB, four times of what there is.
    let mut command = desk.watched.command(&["touch", "67108864"]);
    // SAFETY: writing a file allocates nothing that another thread could hold.
    unsafe { command.pre_exec(move || fs::write(&procs, "0")) };
    let ended = run(&mut command);
    assert_eq!(
        ended.status & 0x7f,
        libc::SIGKILL,
        "the limit does not hold"
    );
    let found = desk.incident(ended.pid);
    assert_eq!(found["sensor.incident.kind"], "oom");
    let cause = "out of memory: killed by the kernel (mark_victim)";
    assert_eq!(found["sensor.incident.cause"], cause);
    assert_eq!(found["severity_number"], 21);
    assert_eq!(found["sensor.exit.signal"], 9);
    assert!(found["sensor.signal.sender.pid"].is_null(), "{found}");
}
