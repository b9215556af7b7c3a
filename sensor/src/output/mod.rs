//! What people and programs read on standard output.

pub mod incident;
pub mod json;
pub mod table;
pub mod terminal;
