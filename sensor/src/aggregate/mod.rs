//! Stage 6: exact cumulative series of each service.

pub mod report;
