//! A process that ended badly, as the core tells it: what the kernel said,
//! before anybody has looked for last words.

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use super::{
    context::{Ancestor, Case, Neighbour},
    record::{Incident, Kind, Origin, Sender, Severity},
    signal,
};
use crate::{
    process::event::{End, ExitDetail, Subject},
    units::WallNanos,
};

/// An abnormal end.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Becomes `sensor.incident.id`.
    pub id: Uuid,
    /// When.
    pub time: WallNanos,
    /// The process.
    pub process: Subject,
    /// Services that watch it.
    pub services: Vec<Arc<str>>,
    /// How.
    pub end: End,
    /// The evidence that the kernel ended it for want of memory.
    pub oom: Option<Oom>,
    /// Who sent the signal that ended it.
    pub sender: Option<Sender>,
    /// What it had used.
    pub detail: Box<ExitDetail>,
    /// Its parents, the nearest first.
    pub ancestry: Vec<Ancestor>,
    /// What happened around it shortly before, oldest first.
    pub siblings: Vec<Neighbour>,
    /// Regular files behind its descriptors 1 and 2, where somebody wants to
    /// know; standard error last.
    pub written: Vec<Written>,
    /// The end of what it wrote to descriptor 2, where the kernel was asked
    /// to tell.
    pub tapped: Vec<u8>,
    /// Somebody wants to know what it said to the journal.
    pub in_journal: bool,
}

/// What tells that the kernel ended a process for want of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oom {
    /// `mark_victim` named it.
    Victim,
    /// The counter `oom_kill` of its cgroup rose, and nobody sent the signal.
    Counter {
        /// Path of the cgroup in the hierarchy that accounts memory.
        cgroup: Arc<str>,
        /// By how much since it was explained the last time.
        rise: u64,
    },
}

/// What a process wrote into a file, or somebody else meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Path in the process's own tree of mounts, raw bytes.
    pub path: Arc<[u8]>,
    /// stdout or stderr; both are the same file where it is `None`.
    pub stream: Option<&'static str>,
    /// Number of the inode.
    pub inode: u64,
    /// Bytes that stood there before the process ran its program; `None`
    /// where nobody noted it.
    pub from: Option<u64>,
    /// Bytes there when it ended.
    pub to: u64,
}

/// Which ends are abnormal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Signals that end processes as somebody wishes.
    pub ignored: BTreeSet<u8>,
    /// Somebody wants to know who began and ended around an incident.
    pub siblings: bool,
}

impl Rules {
    /// Whether an end is an incident.
    #[must_use]
    pub fn is_abnormal(&self, end: End, is_oom: bool) -> bool {
        match end {
            End::Code(code) => code != 0,
            End::Signal { signal, .. } => is_oom || !self.ignored.contains(&signal),
        }
    }
}

impl Ended {
    /// The evidence in one line.
    #[must_use]
    pub fn cause(&self) -> String {
        match &self.oom {
            Some(Oom::Victim) => {
                return "out of memory: killed by the kernel (mark_victim)".to_owned();
            }
            Some(Oom::Counter { cgroup, rise }) => {
                return format!(
                    "out of memory: killed by the kernel (oom_kill of {cgroup} rose by {rise})"
                );
            }
            None => {}
        }
        let (signal, core_dumped) = match self.end {
            End::Code(code) => return format!("exit code {code}"),
            End::Signal {
                signal,
                core_dumped,
            } => (signal, core_dumped),
        };
        let mut text = match signal::name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        };
        if let Some(sender) = &self.sender {
            text.push_str(&format!(" from pid {}", sender.pid));
            if let Some(name) = &sender.name {
                text.push_str(&format!(" ({name})"));
            }
        }
        if core_dumped {
            text.push_str(", core dumped");
        }
        text
    }

    /// What providers of context are asked about.
    #[must_use]
    pub fn case(&self) -> Case {
        Case {
            time: self.time,
            process: Some(self.process.clone()),
            ancestry: self.ancestry.clone(),
            siblings: self.siblings.clone(),
            detail: Some(self.detail.clone()),
            services: self.services.clone(),
            ..Case::default()
        }
    }

    /// The incident without last words and context.
    #[must_use]
    pub fn incident(self, observed: WallNanos) -> Incident {
        let cause = self.cause();
        let (kind, severity) = match self.oom {
            Some(_) => (Kind::Oom, 21),
            None => (Kind::Exit, 17),
        };
        Incident {
            id: self.id,
            kind,
            time: Some(self.time.0),
            observed: observed.0,
            severity: Severity {
                number: severity,
                text: None,
            },
            body: None,
            exception: None,
            origin: Origin::default(),
            process: Some(self.process),
            pid: None,
            services: self.services,
            end: Some(self.end),
            sender: self.sender,
            cause: Some(cause),
            last_words: None,
            fingerprint: 0,
            count: 1,
            request: Default::default(),
            context: Default::default(),
        }
    }
}

#[cfg(test)]
pub(in crate::incident) mod tests {
    use super::*;
    use crate::units::BootNanos;

    pub fn ended(end: End) -> Ended {
        Ended {
            id: Uuid::nil(),
            time: WallNanos(7),
            process: Subject {
                pid: 5,
                parent_pid: Some(1),
                creation_time: WallNanos(1),
                start: BootNanos(1),
                executable_path: None,
                args: None,
                user_id: None,
                cgroup: None,
            },
            services: Vec::new(),
            end,
            oom: None,
            sender: None,
            detail: Box::default(),
            ancestry: Vec::new(),
            siblings: Vec::new(),
            written: Vec::new(),
            tapped: Vec::new(),
            in_journal: false,
        }
    }

    fn by(signal: u8, core_dumped: bool) -> End {
        End::Signal {
            signal,
            core_dumped,
        }
    }

    #[test]
    fn a_cause_is_the_evidence_and_nothing_else() {
        assert_eq!(ended(End::Code(137)).cause(), "exit code 137");
        assert_eq!(ended(by(9, false)).cause(), "signal 9 (SIGKILL)");
        assert_eq!(
            ended(by(11, true)).cause(),
            "signal 11 (SIGSEGV), core dumped"
        );
        assert_eq!(ended(by(40, false)).cause(), "signal 40 (SIGRTMIN+6)");
        let sent = |name: Option<&str>| Ended {
            sender: Some(Sender {
                pid: 812,
                name: name.map(str::to_owned),
            }),
            ..ended(by(9, false))
        };
        assert_eq!(
            sent(Some("reaper")).cause(),
            "signal 9 (SIGKILL) from pid 812 (reaper)"
        );
        assert_eq!(sent(None).cause(), "signal 9 (SIGKILL) from pid 812");
        let oom = |oom| Ended {
            oom: Some(oom),
            ..sent(None)
        };
        assert_eq!(
            oom(Oom::Victim).cause(),
            "out of memory: killed by the kernel (mark_victim)"
        );
        let cgroup = "/shop.slice".into();
        assert_eq!(
            oom(Oom::Counter { cgroup, rise: 1 }).cause(),
            "out of memory: killed by the kernel (oom_kill of /shop.slice rose by 1)"
        );
    }

    #[test]
    fn some_signals_are_how_processes_are_asked_to_end() {
        let rules = Rules {
            ignored: [15, 9].into(),
            siblings: false,
        };
        assert!(!rules.is_abnormal(End::Code(0), false));
        assert!(rules.is_abnormal(End::Code(143), false));
        assert!(!rules.is_abnormal(by(15, false), false));
        assert!(rules.is_abnormal(by(11, false), false));
        assert!(!rules.is_abnormal(by(9, false), false));
        assert!(rules.is_abnormal(by(9, false), true));
    }
}
