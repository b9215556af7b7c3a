//! Stage 6: exact cumulative series of each service.

pub mod histogram;
pub mod metrics;
pub mod registry;
pub mod report;
pub mod service;
