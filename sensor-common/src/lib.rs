//! The contract between the kernel programs and the daemon.
//!
//! Both sides compile this crate, so a record means the same on both. It is
//! `no_std`, has no dependencies and no `unsafe`: records are plain integers
//! with explicit padding, and [`layout`] asserts every offset at compile time.
//!
//! Bytes that arrive from the ring are an allegation until the daemon's one
//! decode function has checked them.
//!
//! Names: `pid` is what user space calls a pid (the kernel's `tgid`), `tid` is
//! a thread (the kernel's `pid`).
#![no_std]
#![forbid(unsafe_code)]

pub mod awake;
pub mod clock;
pub mod event;
pub mod field;
pub mod kind;
mod layout;
pub mod limits;
pub mod loss;
pub mod scheduler;
