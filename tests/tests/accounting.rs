//! Every exit line against wait4's word on the same process (contract A1 to
//! A5, E5 to E8). Needs root, for the kernel programs.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests too: a panic is how a test fails"
)]

#[path = "accounting/ends.rs"]
mod ends;
#[path = "accounting/figures.rs"]
mod figures;
#[path = "accounting/hostile.rs"]
mod hostile;
#[path = "accounting/identity.rs"]
mod identity;
#[path = "accounting/programs.rs"]
mod programs;
