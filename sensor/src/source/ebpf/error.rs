//! What can go wrong with the kernel programs.

use aya::sys::SyscallError;

use crate::source::btf::{self, BtfError};

/// Why there are no kernel events.
#[derive(Debug, thiserror::Error)]
pub enum EbpfError {
    /// Offsets are unknown.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// aya could not read the same bytes.
    #[error("cannot use {}", btf::KERNEL)]
    AyaBtf(#[from] aya::BtfError),
    /// A field without which nothing works.
    #[error("the kernel has no field {0}")]
    Field(&'static str),
    /// Maps or relocations failed.
    #[error("cannot load the kernel programs")]
    Load(#[from] Box<aya::EbpfError>),
    /// One program was refused.
    #[error("cannot load or attach the hook {name}")]
    Program {
        /// The hook.
        name: &'static str,
        /// The kernel's answer.
        source: Box<aya::programs::ProgramError>,
    },
    /// A hook that was left cannot be used.
    #[error("cannot open the hook {name}")]
    Link {
        /// The hook.
        name: &'static str,
        /// The kernel's answer.
        source: Box<aya::programs::links::LinkError>,
    },
    /// The ring could not be mapped.
    #[error("cannot map the ring buffer")]
    Ring(#[source] std::io::Error),
    /// The kernel does not count what the hooks cost.
    #[error("cannot count what the hooks cost")]
    Stats(#[from] SyscallError),
    /// A map of the object is not what it should be.
    #[error("cannot open the map {name}")]
    Map {
        /// The map.
        name: &'static str,
        /// What is wrong.
        source: Box<aya::maps::MapError>,
    },
}

impl EbpfError {
    pub(in crate::source) fn map(name: &'static str) -> impl FnOnce(aya::maps::MapError) -> Self {
        move |source| Self::Map {
            name,
            source: Box::new(source),
        }
    }

    /// Whether the kernel refused for want of privilege.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        let mut cause: Option<&dyn std::error::Error> = Some(self);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::PermissionDenied
            {
                return true;
            }
            cause = error.source();
        }
        false
    }
}
