//! Stage 6: exact cumulative series of each service.

pub mod custom;
mod figures;
pub mod histogram;
pub mod legacy;
pub mod metrics;
pub mod registry;
pub mod report;
pub mod scheduled;
mod semconv;
pub mod series;
pub mod service;
mod top;
