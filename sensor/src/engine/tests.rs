//! The rules of accounting (contract E and S), on synthetic events.

mod abnormal;
mod bench;
mod figures;
mod lifecycle;
mod membership;
mod model;
mod reload;
mod restarts;
mod scans;
mod scheduling;
mod taps;
