//! What the engine knows of a process that somebody asks about.

use std::sync::Arc;

use super::Engine;
use crate::{
    incident::context::Ancestor,
    process::event::{Subject, What},
};

/// A living process, as events tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The process, its arguments scrubbed.
    pub process: Subject,
    /// Services that watch it.
    pub services: Vec<Arc<str>>,
    /// Its parents, the nearest first.
    pub ancestry: Vec<Ancestor>,
}

impl Engine {
    /// The process with this pid, watched or not; `None` where no living one
    /// is known.
    #[must_use]
    pub fn described(&mut self, pid: u32) -> Option<Described> {
        let process = self.table.by_pid(pid)?.clone();
        let event = self.process_event(&process, process.key.start.0, What::Exec);
        Some(Described {
            process: event.process,
            services: event.services,
            ancestry: self.ancestry(&process),
        })
    }

    /// Pids of all members of services, ascending.
    #[must_use]
    pub fn watched(&self) -> Vec<u32> {
        let members = self.table.iter();
        let members = members.filter(|process| !process.services.is_empty());
        let mut pids: Vec<u32> = members.map(|process| process.key.pid).collect();
        pids.sort_unstable();
        pids
    }
}
