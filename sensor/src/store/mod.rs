//! What survives: identities, counters and the export queue, in one redb file.
//!
//! docs/STORE.md says how the file is laid out, byte by byte. The file has one
//! owner, the daemon; others may read it meanwhile.

mod backend;
mod changes;
mod error;
mod fresh;
mod guard;
mod history;
pub mod image;
mod known;
pub mod legacy;
mod migrate;
mod open;
mod owner;
mod place;
mod reader;
pub mod records;
mod reopen;
mod schema;
pub mod totals;

pub use changes::{Changes, Indexed, Place, Request, Seen};
pub use error::StoreError;
pub use history::MAX_HISTORY_BYTES;
pub use known::Known;
pub use legacy::Claimant;
pub use open::{Opened, Store, StoreConfig};
pub use owner::Owner;
pub use place::default_path;
pub use reader::{Reader, Waiting, verify};
pub use schema::{Identity, Version, service_key};

#[cfg(test)]
mod open_tests;
#[cfg(test)]
mod tests;
