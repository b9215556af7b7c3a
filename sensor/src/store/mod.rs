//! What survives: identities, counters and the export queue, in one redb file.
//!
//! docs/STORE.md says how the file is laid out, byte by byte. The file has one
//! owner, the daemon; others may read it meanwhile.

mod backend;
mod error;
mod migrate;
mod open;
mod owner;
mod place;
pub mod records;
mod schema;

pub use error::StoreError;
pub use open::{Opened, Store, StoreConfig};
pub use owner::Owner;
pub use place::default_path;
pub use schema::{Identity, Version};

#[cfg(test)]
mod tests;
