//! Hooks and ring that outlive the daemon.

use super::Daemon;
use crate::{
    app::{
        hooks::chain,
        keeping::{self, Memory},
        setup::Stop,
    },
    cli::RunArgs,
    config::{Config, EbpfMode},
    exit::Exit,
    export::Interval,
    source::{
        ebpf::{EbpfError, Kernel, Opened, Pinning},
        pins::PinError,
    },
    store::default_path,
};

/// What of the ring may be read but not written to the store, of its size:
/// half of what makes hooks wake the consumer.
const UNWRITTEN: u64 = 8;

/// The kernel programs, and whether there is a story to go on with.
pub(super) struct Attached {
    /// Hooks and ring.
    pub(super) kernel: Kernel,
    /// The daemon before has left them.
    pub(super) found: bool,
}

/// Attaches the hooks, or goes on with those of the daemon before.
///
/// # Errors
///
/// Where the kernel refuses.
pub(super) fn open(args: &RunArgs, config: &Config, memory: &Memory) -> Result<Opened, EbpfError> {
    let ring_bytes = args.ring_bytes.unwrap_or(config.kernel.ring_bytes);
    let store = keeping::path(args, config).unwrap_or_else(default_path);
    let wish = Pinning {
        store: &store,
        keep: args.pin || config.kernel.pin,
        mark: memory.mark,
    };
    Kernel::open(ring_bytes, &wish)
}

/// Says how it went. That nothing stays is no reason not to work, unless
/// eBPF is required.
///
/// # Errors
///
/// Where it is.
pub(super) fn tell(opened: Opened, config: &Config) -> Result<Attached, Stop> {
    for warning in &opened.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(error) = &opened.unpinned {
        let why = reason(error);
        if config.kernel.ebpf == EbpfMode::Require {
            let exit = match error.is_permission() {
                true => Exit::NoPermission,
                false => Exit::CannotCreate,
            };
            return Err(Stop::new(exit, why));
        }
        tracing::warn!("{why}; going on without: what happens during a restart is missed");
    } else if opened.found {
        tracing::info!("going on with the hooks that the sensor before has left");
    } else if opened.kernel.is_pinned() {
        tracing::info!("hooks and ring stay until `sensor detach`");
    }
    Ok(Attached {
        found: opened.found,
        kernel: opened.kernel,
    })
}

fn reason(error: &PinError) -> String {
    let remedy = match error.is_permission() {
        true => " (root can make the directory and give it to the sensor's user)",
        false => "",
    };
    format!("cannot pin: {}{remedy}", chain(error))
}

impl Daemon {
    /// What is to be written between two reports: of a ring that stays, how
    /// far it was read.
    pub(super) fn moment(&mut self) -> Interval {
        match &self.pump.kernel {
            Some(kernel) if kernel.is_pinned() => keeping::now(&mut self.pump),
            _ => Interval::default(),
        }
    }

    /// Gives the kernel back what is in the store, and has more written where
    /// a part of the ring waits for that.
    pub(super) fn checkpoint(&mut self) {
        let (Some(kernel), Some(keeper)) = (&mut self.pump.kernel, &self.keeper) else {
            return;
        };
        if !kernel.is_pinned() {
            return;
        }
        kernel.told();
        if let Some(mark) = keeper.written() {
            kernel.release(mark);
        }
        if kernel.held() > kernel.ring_bytes() / UNWRITTEN && keeper.is_current() {
            keeper.accept(keeping::now(&mut self.pump), || {});
        }
    }
}
