//! Hooks that are loaded with the others, and attached while somebody wants
//! them.

use std::path::Path;

use aya::{
    Ebpf,
    programs::{BtfTracePoint, ProgramError, tp_btf::BtfTracePointLinkId},
};

use super::{
    EbpfError,
    object::{failed, program},
};
use crate::source::{hook::Hook, pins};

/// One of them.
pub(super) struct OnDemand {
    hook: Hook,
    /// Why it is not there.
    missing: Option<EbpfError>,
    /// One that another daemon loaded.
    found: Option<BtfTracePoint>,
    /// It is attached.
    link: Option<BtfTracePointLinkId>,
}

impl OnDemand {
    pub(super) fn new(hook: Hook, missing: Option<EbpfError>) -> Self {
        Self {
            hook,
            missing,
            found: None,
            link: None,
        }
    }

    /// That of a daemon which has ended; its link ended with it.
    pub(super) fn take_over(dir: &Path, hook: Hook) -> Self {
        let path = dir.join(pins::object_name("prog", hook.name));
        let found = BtfTracePoint::from_pin(path).map_err(failed(hook));
        let (found, missing) = match found {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            found,
            ..Self::new(hook, missing)
        }
    }

    /// Attaches it, or detaches it; `loaded` is what this process loaded. True
    /// where that changed something.
    pub(super) fn follow(
        &mut self,
        loaded: Option<&mut Ebpf>,
        wanted: bool,
    ) -> Result<bool, EbpfError> {
        if wanted && let Some(error) = self.missing.take() {
            return Err(error);
        }
        if wanted == self.link.is_some() {
            return Ok(false);
        }
        let failed = failed(self.hook);
        let program = match (loaded, &mut self.found) {
            (Some(programs), _) => program(programs, self.hook)?,
            (None, Some(found)) => found,
            (None, None) => return Err(failed(ProgramError::NotLoaded)),
        };
        match self.link.take() {
            None => self.link = Some(program.attach().map_err(failed)?),
            Some(link) => program.detach(link).map_err(failed)?,
        }
        Ok(true)
    }
}
