//! Counters that rise, in files that look as the kernel's do. The real ones
//! are in the tests of the whole program.

use super::{hierarchy::kills, *};
use crate::{
    incident::{ended::tests::ended, record::Sender},
    units::BootNanos,
};

const KILL: End = End::Signal {
    signal: KILLED,
    core_dumped: false,
};

struct Bench {
    root: tempfile::TempDir,
    memory: Memory,
    now: Instant,
    /// Where each process is, as the hook tells.
    cgroups: HashMap<u32, Arc<str>>,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("shop/till")).unwrap();
        let hierarchy = Hierarchy {
            root: root.path().to_owned(),
            mounted: "/".to_owned(),
            version: Version::Two,
        };
        let bench = Self {
            root,
            memory: Memory::of(Some(hierarchy)),
            now: Instant::now(),
            cgroups: HashMap::new(),
        };
        bench.counts("shop", 5);
        bench
    }

    fn counts(&self, cgroup: &str, kills: u64) {
        let text = format!("low 0\noom 9\noom_kill {kills}\noom_group_kill 0\n");
        fs::write(self.root.path().join(cgroup).join("memory.events"), text).unwrap();
    }

    fn joins(&mut self, pid: u32, cgroup: impl Into<Arc<str>>) {
        let cgroup = cgroup.into();
        let joined = Joined {
            key: ProcessKey {
                pid,
                start: BootNanos(1),
            },
            parent: None,
            cgroup: Some(Arc::clone(&cgroup)),
            is_child: false,
        };
        self.cgroups.insert(pid, cgroup);
        self.memory.watch(&[joined], self.now);
    }

    fn dies(&mut self, pid: u32, more: impl FnOnce(&mut Ended)) -> Option<Oom> {
        let mut one = ended(KILL);
        one.process.pid = pid;
        one.process.cgroup = self.cgroups.get(&pid).cloned();
        more(&mut one);
        self.memory.judge(&one)
    }
}

fn counter(rise: u64) -> Option<Oom> {
    let cgroup = "/shop".into();
    Some(Oom::Counter { cgroup, rise })
}

#[test]
fn a_rise_is_evidence_for_one_death() {
    let mut bench = Bench::new();
    bench.joins(5, "/shop");
    bench.joins(6, "/shop");
    assert_eq!(bench.dies(5, |_| {}), None, "kills from before");
    bench.counts("shop", 6);
    assert_eq!(bench.dies(5, |_| {}), counter(1));
    assert_eq!(bench.dies(6, |_| {}), None, "that kill is explained");
    bench.counts("shop", 8);
    assert_eq!(bench.dies(6, |_| {}), counter(2));
    assert_eq!(bench.dies(5, |_| {}), counter(1));
}

#[test]
fn who_ended_otherwise_was_not_killed_for_memory() {
    let mut bench = Bench::new();
    bench.joins(5, "/shop");
    bench.counts("shop", 6);
    assert_eq!(bench.dies(5, |one| one.end = End::Code(137)), None);
    let by = |one: &mut Ended| {
        one.sender = Some(Sender { pid: 1, name: None });
    };
    assert_eq!(bench.dies(5, by), None);
    assert_eq!(bench.dies(7, |_| {}), None, "nobody knows where it was");
    assert_eq!(bench.dies(5, |_| {}), counter(1));
}

/// What `mark_victim` told of one process is no evidence for another.
#[test]
fn a_victim_takes_its_rise_along() {
    let mut bench = Bench::new();
    bench.joins(5, "/shop");
    bench.joins(6, "/shop");
    bench.counts("shop", 6);
    let victim = |one: &mut Ended| one.oom = Some(Oom::Victim);
    assert!(bench.dies(5, victim).is_some());
    assert_eq!(bench.dies(6, |_| {}), None);
}

#[test]
fn old_rises_explain_nothing() {
    let mut bench = Bench::new();
    bench.joins(5, "/shop");
    bench.counts("shop", 6);
    bench.memory.settle(bench.now + SETTLE_EVERY);
    // Its death may still be on the way.
    bench.memory.settle(bench.now + SETTLE_EVERY * 2);
    assert_eq!(bench.dies(5, |_| {}), None);
    bench.counts("shop", 7);
    bench.memory.settle(bench.now + SETTLE_EVERY * 3);
    assert_eq!(bench.dies(5, |_| {}), counter(1));
}

#[test]
fn the_nearest_cgroup_with_the_controller_counts() {
    let mut bench = Bench::new();
    bench.joins(5, "/shop/till");
    bench.joins(6, "/../shop");
    bench.counts("shop", 6);
    assert_eq!(bench.dies(6, |_| {}), None);
    assert_eq!(bench.dies(5, |_| {}), counter(1));
    // A unit's cgroup goes with its last process.
    bench.counts("shop", 7);
    fs::remove_dir(bench.root.path().join("shop/till")).unwrap();
    assert_eq!(bench.dies(5, |_| {}), counter(1));
    bench.counts("shop", 8);
    // What cannot be read is no evidence.
    fs::remove_file(bench.root.path().join("shop/memory.events")).unwrap();
    assert_eq!(bench.dies(5, |_| {}), None);
    bench.memory.settle(bench.now + SETTLE_EVERY);
    assert_eq!(bench.memory.next(), None);
}

#[test]
fn where_memory_is_accounted() {
    let one = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
               32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
               41 31 0:38 / /nowhere/unified rw,relatime - cgroup2 cgroup2 rw\n";
    let found = Hierarchy::find(one).unwrap();
    assert_eq!(found.version, Version::One);
    assert_eq!(found.root, Path::new("/sys/fs/cgroup/memory"));
    assert_eq!(Hierarchy::find("1 2 0:1 / / rw - ext4 /dev/sda rw"), None);
    let text = "9:cpu,cpuacct:/a\n4:memory,hugetlb:/b:c\n1:name=memory:/d\n0::/e\n";
    assert_eq!(memory_path(text), Some("/b:c"));
    assert_eq!(memory_path("0::/e\nodd"), None);
    assert_eq!(
        kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        Some(3)
    );
    assert_eq!(kills("oom_kill_disable 0\noom_kill x\n"), None);
}

/// Version 1 tells where a process is only in its own file.
#[test]
fn who_was_gone_at_the_first_look_died_where_a_counter_rose() {
    let mut bench = Bench::new();
    fs::create_dir(bench.root.path().join("bank")).unwrap();
    let counts = |bench: &Bench, cgroup: &str, kills: u64| {
        let file = bench.root.path().join(cgroup).join("memory.oom_control");
        fs::write(file, format!("under_oom 0\noom_kill {kills}\n")).unwrap();
    };
    for cgroup in ["shop", "bank"] {
        counts(&bench, cgroup, 1);
        let dir: Arc<Path> = bench.root.path().join(cgroup).into();
        bench.memory.hierarchy.as_mut().unwrap().version = Version::One;
        bench.memory.begin(&dir, 1, bench.now);
    }
    let (one, other) = (u32::MAX, u32::MAX - 1);
    bench.joins(one, "");
    bench.joins(other, "");
    assert!(!bench.memory.is_certain(bench.root.path()));
    assert_eq!(bench.dies(one, |_| {}), None, "nothing rose");
    counts(&bench, "shop", 3);
    assert_eq!(bench.dies(one, |_| {}), counter(2));
    counts(&bench, "bank", 2);
    assert_eq!(bench.dies(other, |_| {}), None, "it may be either");
}

/// A unit that systemd starts again, a container that is restarted.
#[test]
fn a_cgroup_that_was_made_again_begins_at_its_own_count() {
    let mut bench = Bench::new();
    bench.joins(5, "/shop");
    bench.counts("shop", 6);
    assert_eq!(bench.dies(5, |_| {}), counter(1));
    for pid in [6, 7] {
        bench.counts("shop", 0);
        bench.joins(pid, "/shop");
        bench.counts("shop", 1);
        assert_eq!(bench.dies(pid, |_| {}), counter(1), "{pid}");
    }
}

/// A storm of processes reads the counter of the first one, and no more.
#[test]
fn a_known_cgroup_is_not_looked_for_again() {
    let mut bench = Bench::new();
    let shop: Arc<str> = "/shop".into();
    bench.joins(5, Arc::clone(&shop));
    let counter_file = bench.root.path().join("shop/memory.events");
    fs::remove_file(counter_file).unwrap();
    bench.joins(6, shop);
    bench.counts("shop", 6);
    assert_eq!(bench.dies(6, |_| {}), counter(1));
}

/// Version 1: whoever is there for a while is looked for, once.
#[test]
fn only_its_own_file_says_where_a_process_is() {
    let mut bench = Bench::new();
    bench.memory.hierarchy.as_mut().unwrap().version = Version::One;
    bench.memory.proc = bench.root.path().join("proc");
    let counts = |bench: &Bench, kills: u64| {
        let file = bench.root.path().join("shop/memory.oom_control");
        fs::write(file, format!("under_oom 0\noom_kill {kills}\n")).unwrap();
    };
    counts(&bench, 1);
    for pid in ["5", "6"] {
        let dir = bench.memory.proc.join(pid);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("cgroup"), "4:memory:/shop\n0::/\n").unwrap();
    }
    bench.joins(5, "");
    bench.memory.look(bench.now);
    // A child is where its parent is, and nobody looks for it again.
    let child = Joined {
        key: ProcessKey {
            pid: 7,
            start: BootNanos(1),
        },
        parent: Some(5),
        cgroup: None,
        is_child: true,
    };
    bench.memory.watch(&[child], bench.now);
    assert!(bench.memory.unread.is_empty());
    // What speaks of the root may be said of one that is ending.
    fs::write(bench.memory.proc.join("5/cgroup"), "4:memory:/\n").unwrap();
    bench.joins(5, "");
    bench.memory.look(bench.now);
    counts(&bench, 5);
    let other = |one: &mut Ended| one.process.start = BootNanos(TICK_NS * 3);
    fs::create_dir(bench.root.path().join("bank")).unwrap();
    let bank: Arc<Path> = bench.root.path().join("bank").into();
    fs::write(bank.join("memory.oom_control"), "oom_kill 1\n").unwrap();
    bench.memory.begin(&bank, 0, bench.now);
    assert_eq!(bench.dies(5, other), None, "another one with its pid");
    assert_eq!(bench.dies(5, |_| {}), counter(4));
    assert_eq!(bench.dies(7, |_| {}), counter(3));
    // Nobody was told of one that ended at once.
    let of = |parent, start| {
        move |one: &mut Ended| {
            one.process.parent_pid = Some(parent);
            one.process.start = BootNanos(start);
        }
    };
    assert_eq!(bench.dies(8, of(9, 2)), None, "a parent that nobody knows");
    assert_eq!(bench.dies(8, of(7, 0)), None, "one with the parent's pid");
    assert_eq!(bench.dies(8, of(7, 2)), counter(2));
    // More than may be read in a second wait for the next one.
    for pid in 1_000..1_000 + u32::try_from(READS).unwrap() {
        bench.joins(pid, "");
    }
    bench.memory.look(bench.now);
    assert_eq!(bench.memory.next(), Some(bench.now + SECOND));
    assert!(!bench.memory.unread.is_empty());
    bench.memory.look(bench.now + SECOND);
    assert!(bench.memory.unread.is_empty());
}
