//! The hook on switches: loaded with the others, attached while somebody
//! wants it.

use std::path::Path;

use aya::{
    Ebpf,
    programs::{BtfTracePoint, ProgramError, tp_btf::BtfTracePointLinkId},
};

use super::{EbpfError, failed, pinned, program};
use crate::source::{hook, pins, scheduler::Scheduler};

/// The hook, and what it shares with the daemon.
pub(super) struct Switches {
    pub(super) scheduler: Scheduler,
    /// Why the hook is not there.
    missing: Option<EbpfError>,
    /// One that another daemon loaded.
    found: Option<BtfTracePoint>,
    /// It is attached.
    link: Option<BtfTracePointLinkId>,
}

impl Switches {
    pub(super) fn new(scheduler: Scheduler, missing: Option<EbpfError>) -> Self {
        Self {
            scheduler,
            missing,
            found: None,
            link: None,
        }
    }

    /// That of a daemon which has ended. Its link ended with it; whom it
    /// counted, and what, is for the next one to begin anew.
    pub(super) fn take_over(dir: &Path) -> Result<Self, EbpfError> {
        let mut scheduler = Scheduler::open(|name| pinned::map(dir, name))?;
        scheduler.begin_anew();
        let path = dir.join(pins::object_name("prog", hook::SCHED.name));
        let found = BtfTracePoint::from_pin(path).map_err(failed(hook::SCHED));
        let (found, missing) = match found {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(error)),
        };
        Ok(Self {
            found,
            ..Self::new(scheduler, missing)
        })
    }

    /// Attaches it, or detaches it; `loaded` is what this process loaded.
    pub(super) fn follow(
        &mut self,
        loaded: Option<&mut Ebpf>,
        wanted: bool,
    ) -> Result<(), EbpfError> {
        if wanted && let Some(error) = self.missing.take() {
            return Err(error);
        }
        if wanted == self.link.is_some() {
            return Ok(());
        }
        let program = match (loaded, &mut self.found) {
            (Some(programs), _) => program(programs, hook::SCHED)?,
            (None, Some(found)) => found,
            (None, None) => return Err(failed(hook::SCHED)(ProgramError::NotLoaded)),
        };
        match self.link.take() {
            None => self.link = Some(program.attach().map_err(failed(hook::SCHED))?),
            Some(link) => {
                program.detach(link).map_err(failed(hook::SCHED))?;
                self.scheduler.forget_all();
            }
        }
        Ok(())
    }
}
