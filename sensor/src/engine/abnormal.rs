//! Abnormal ends of members: put down for the stage that looks for their last
//! words.

use std::{collections::VecDeque, sync::Arc};

use sensor_common::event::{Exit, OOM_VICTIM, Output, OutputFile, STDERR, STDOUT};

use super::{Engine, describe::until_nul, exits::Finished, key_of, membership::Way};
use crate::{
    incident::{
        context::{Ancestor, Neighbour, Ring},
        ended::{Ended, Oom, Rules, Written},
        memory::Joined,
        record::Sender,
    },
    process::{
        event::{End, ExitDetail, What},
        table::{Process, ServiceId},
    },
    units::{BootNanos, ProcessKey},
};

/// Outputs whose process is about to end.
const OUTPUTS: usize = 1_024;
/// Parents that are told.
const ANCESTORS: usize = 16;
/// Ends that wait to be taken.
const ENDED: usize = 4_096;
/// New members that wait to be taken, and those who are not yet old enough. Of
/// those above it nobody knows the cgroup, as of those who end at once.
const JOINED: usize = 8_192;
/// Who ends before that is not told of: a storm of short processes costs nobody
/// a thing. Twice as much where it began just after a turn.
const GROWN: u64 = 100_000_000;
/// Cgroups that are known as such.
const CGROUPS: usize = 64;

/// What is put down.
#[derive(Debug, Default)]
pub(super) struct Abnormal {
    outputs: VecDeque<(ProcessKey, Output, Arc<[u8]>)>,
    ended: Vec<Ended>,
    joined: Vec<Joined>,
    young: Young,
    /// Cgroups that somebody was told of, the last one first.
    cgroups: Vec<Arc<str>>,
    /// What happened to members lately.
    ring: Ring,
}

/// Members that have just begun, and whether they were born so.
#[derive(Debug, Default)]
struct Young {
    waiting: VecDeque<(ProcessKey, bool)>,
    /// When the last turn was, and how many it left behind.
    turn: BootNanos,
    left: usize,
}

impl Engine {
    /// The abnormal ends of members since the last call.
    #[must_use]
    pub fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.abnormal.ended)
    }

    /// Those who became members, or run another program, a moment ago, and are
    /// still there; at once those in a cgroup that nobody was told of. Where
    /// their ends can be incidents.
    #[must_use]
    pub fn take_joined(&mut self) -> Vec<Joined> {
        std::mem::take(&mut self.abnormal.joined)
    }

    /// Notes a process that is about to be put into the table.
    pub(super) fn note_joined(&mut self, process: &Process, way: &Way) {
        if !self.mourned(&process.services) {
            return;
        }
        let Abnormal {
            joined,
            young,
            cgroups,
            ..
        } = &mut self.abnormal;
        let is_child = matches!(way, Way::Fork);
        let is_old = matches!(way, Way::Scan);
        if is_old || is_new(cgroups, process.cgroup.as_ref()) {
            if joined.len() < JOINED {
                joined.push(joined_of(process, is_child));
            }
        } else if young.waiting.len() < JOINED {
            young.waiting.push_back((process.key, is_child));
        }
    }

    /// Hands on who has been there for a moment.
    pub(super) fn grow_up(&mut self, now: BootNanos) {
        let Abnormal { joined, young, .. } = &mut self.abnormal;
        if now.0 < young.turn.0.saturating_add(GROWN) {
            return;
        }
        young.turn = now;
        for (key, is_child) in young.waiting.drain(..young.left) {
            if joined.len() < JOINED
                && let Some(process) = self.table.find(key)
            {
                joined.push(joined_of(process, is_child));
            }
        }
        young.left = young.waiting.len();
    }

    /// Whether the ends of a member of these services can be incidents.
    pub(super) fn mourned(&self, services: &[ServiceId]) -> bool {
        self.config.incidents.is_some() && !services.is_empty()
    }

    /// Whether anybody wants to know where members wrote.
    #[must_use]
    pub fn wants_outputs(&self) -> bool {
        let mut specs = self.config.registry.specs().iter();
        self.config.incidents.is_some()
            && specs.any(|spec| spec.logs.enabled && spec.logs.stderr_file)
    }

    /// Takes in where a process that is about to end wrote.
    pub(super) fn output(&mut self, output: &Output, path: Option<Vec<u8>>) {
        let key = key_of(&output.header);
        let watched = self.table.find(key).is_some_and(|process| {
            let services = process.services.iter();
            let mut specs = services.map(|&id| self.config.registry.spec_of(id));
            specs.any(|spec| spec.logs.enabled && spec.logs.stderr_file)
        });
        let Some(path) = path.filter(|_| watched) else {
            return;
        };
        let outputs = &mut self.abnormal.outputs;
        if outputs.len() >= OUTPUTS {
            outputs.pop_front();
        }
        outputs.push_back((key, *output, path.into()));
    }

    /// Puts down the end of a process where it is abnormal.
    pub(super) fn mourn(
        &mut self,
        process: &Process,
        finished: &Finished,
        detail: &ExitDetail,
        tapped: Vec<u8>,
    ) {
        let Some(end) = detail.end else {
            return;
        };
        let exit = &finished.exit;
        let is_oom = exit.flags & OOM_VICTIM != 0;
        let outputs = self.outputs_of(process.key, &process.outputs);
        let abnormal = |rules: &Rules| rules.is_abnormal(end, is_oom);
        if !self.mourned(&process.services) || !self.config.incidents.as_ref().is_some_and(abnormal)
        {
            return;
        }
        if self.abnormal.ended.len() >= ENDED {
            self.stats.unmourned += 1;
            return;
        }
        let event = self.process_event(process, exit.header.time, What::Exec);
        let siblings = self.abnormal.ring.around(&event.process, &event.services);
        self.abnormal.ended.push(Ended {
            id: event.uid,
            time: event.time,
            process: event.process,
            services: event.services,
            end,
            oom: is_oom.then_some(Oom::Victim),
            sender: sender(exit),
            detail: Box::new(detail.clone()),
            ancestry: self.ancestry(process),
            siblings,
            written: outputs,
            tapped,
            in_journal: self.looks_in_journal(&process.services),
        });
    }

    fn looks_in_journal(&self, services: &[ServiceId]) -> bool {
        let mut logs = services
            .iter()
            .map(|&id| &self.config.registry.spec_of(id).logs);
        logs.any(|logs| logs.enabled && logs.journald)
    }

    /// Remembers that a member began, or how it ended, for incidents nearby.
    pub(super) fn note_sibling(&mut self, process: &Process, time: u64, end: Option<Option<End>>) {
        let rules = self.config.incidents.as_ref();
        if process.services.is_empty() || !rules.is_some_and(|rules| rules.siblings) {
            return;
        }
        let services = process.services.iter();
        self.abnormal.ring.note(Neighbour {
            time: self.config.offset.wall(BootNanos(time)),
            pid: process.key.pid,
            parent_pid: process.parent,
            name: name_of(process),
            end,
            services: services
                .map(|&id| self.config.registry.name_of(id))
                .collect(),
        });
    }

    /// The parents of a process that the table still has, the nearest first.
    pub(super) fn ancestry(&self, process: &Process) -> Vec<Ancestor> {
        let parent = |of: &Process| self.table.by_pid(of.parent?);
        let parents = std::iter::successors(parent(process), |of| parent(of));
        // Whoever is younger than the child has the pid of its parent.
        let parents = parents.take_while(|of| of.key.start <= process.key.start);
        parents
            .take(ANCESTORS)
            .map(|of| Ancestor {
                pid: of.key.pid,
                name: name_of(of),
            })
            .collect()
    }

    /// Takes the outputs of a process; `noted` is what stood there before.
    fn outputs_of(&mut self, key: ProcessKey, noted: &[OutputFile; 2]) -> Vec<Written> {
        let outputs = &mut self.abnormal.outputs;
        let mut written = Vec::new();
        while let Some(position) = outputs.iter().position(|(of, ..)| *of == key) {
            let Some((_, output, path)) = outputs.remove(position) else {
                break;
            };
            let inode = output.file.inode;
            let same = noted.iter().find(|file| file.inode == inode);
            written.push(Written {
                path,
                stream: match output.streams {
                    STDOUT => Some("stdout"),
                    STDERR => Some("stderr"),
                    _ => None,
                },
                inode,
                from: same.map(|file| file.size),
                to: output.file.size,
            });
        }
        written
    }
}

fn joined_of(process: &Process, is_child: bool) -> Joined {
    Joined {
        key: process.key,
        parent: process.parent,
        cgroup: process.cgroup.clone(),
        is_child,
    }
}

/// Whether nobody was told of a cgroup. One that was made again is another one.
fn is_new(known: &mut Vec<Arc<str>>, cgroup: Option<&Arc<str>>) -> bool {
    let Some(cgroup) = cgroup else {
        return false;
    };
    let same = |one: &Arc<str>| Arc::ptr_eq(one, cgroup);
    let position = known.iter().position(same);
    match position {
        Some(0) => {}
        Some(position) => known[..=position].rotate_right(1),
        None => {
            known.truncate(CGROUPS - 1);
            known.insert(0, Arc::clone(cgroup));
        }
    }
    position.is_none()
}

fn name_of(process: &Process) -> String {
    let program = &process.program;
    let name = program.file_name().unwrap_or(&program.comm);
    String::from_utf8_lossy(name).into_owned()
}

fn sender(exit: &Exit) -> Option<Sender> {
    let sender = &exit.sender;
    let name = until_nul(&sender.comm);
    (sender.pid != 0).then(|| Sender {
        pid: sender.pid,
        name: (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned()),
    })
}
