//! Ends of processes: seen, concluded, and late.

use std::sync::Arc;

use sensor_common::event::{Late, UNKNOWN_UID};

use super::{
    Engine,
    describe::end_of,
    exits::{Finished, Reported},
    key_of,
};
use crate::{
    process::{
        event::{ProcessEvent, What},
        table::{Process, Program},
        usage::{self, Usage},
    },
    units::BootNanos,
};

impl Engine {
    pub(super) fn finish(&mut self, finished: &Finished, out: &mut Vec<ProcessEvent>) {
        let exit = &finished.exit;
        let key = key_of(&exit.header);
        let process = self.table.remove(key).unwrap_or_else(|| Process {
            key,
            exact: true,
            parent: Some(exit.parent_pid),
            program: Program::default(),
            user: None,
            cgroup: None,
            earlier_peak_pages: None,
            outputs: Default::default(),
            services: Arc::default(),
            lineage: Arc::default(),
            former: Vec::new(),
            scanned: None,
            unexecuted: false,
        });
        self.finish_process(process, finished, out);
    }

    pub(super) fn finish_process(
        &mut self,
        mut process: Process,
        finished: &Finished,
        out: &mut Vec<ProcessEvent>,
    ) {
        let exit = &finished.exit;
        self.renamed.remove(&process.key.pid);
        self.unschedule(process.key);
        let tapped = self.untap(process.key);
        let usage = Usage::from(&finished.figures);
        let end = end_of(exit.status);
        let totals = self.config.known.counters(&usage);
        let lifetime = exit.header.time.saturating_sub(exit.header.start);
        let peak = self.program_peak(&process, exit);
        let mut members = Vec::new();
        for &id in process.services.iter() {
            let service = self.config.registry.get_mut(id);
            let member = service.leave(process.key.pid, Some(&totals));
            members.extend(member.map(|member| (id, member)));
            *service.exits.entry(Some(end.into())).or_default() += 1;
            service.lifetime.record(lifetime as f64 / 1e9);
            if let Some(peak) = peak {
                service.peak.record(peak as f64);
            }
        }
        let reported = Reported {
            figures: finished.figures,
            members,
        };
        self.exits.ended(process.key, finished.missing, reported);
        if exit.uid != UNKNOWN_UID {
            process.user = Some(exit.uid);
        }
        process.parent = Some(exit.parent_pid);
        let detail = self.exit_detail(exit, &usage, end);
        self.mourn(&process, finished, &detail, tapped);
        self.note_sibling(&process, exit.header.time, Some(Some(end)));
        if !self.published(&process.services) {
            return;
        }
        let what = What::Exit(Box::new(detail));
        out.push(self.process_event(&process, exit.header.time, what));
    }

    /// Concludes that a process ended, though nobody saw it.
    pub(super) fn vanish(
        &mut self,
        process: Process,
        time: BootNanos,
        out: &mut Vec<ProcessEvent>,
    ) {
        self.stats.inferred += 1;
        self.renamed.remove(&process.key.pid);
        self.unschedule(process.key);
        let _ = self.untap(process.key);
        for &id in process.services.iter() {
            let service = self.config.registry.get_mut(id);
            service.leave(process.key.pid, None);
            *service.exits.entry(None).or_default() += 1;
        }
        self.note_sibling(&process, time.0, Some(None));
        if self.config.attached.is_some() && self.published(&process.services) {
            let mut event = self.process_event(&process, time.0, What::Exit(Box::default()));
            event.inferred = true;
            out.push(event);
        }
    }

    /// Late figures of a process that has been reported go to its services.
    pub(super) fn settle(&mut self, late: &Late) {
        self.stats.late += u64::from(late.threads);
        let Some(reported) = self.exits.reported(key_of(&late.header)) else {
            return;
        };
        usage::add(&mut reported.figures, &late.figures);
        let totals = self.config.known.counters(&Usage::from(&reported.figures));
        for (id, member) in &mut reported.members {
            // Its plugin may have been removed meanwhile.
            if self.config.registry.has(*id) {
                self.config.registry.get_mut(*id).settle(member, &totals);
            }
        }
    }
}
