//! What people and programs read on standard output.

pub mod json;
pub mod table;
pub mod terminal;
