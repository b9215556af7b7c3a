//! Exit codes, named in one place (sysexits.h from 64 on).

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All done.
    Done = 0,
    /// `--run-once`: nothing matched. `doctor`: something failed.
    Nothing = 1,
    /// Wrong usage.
    Usage = 2,
    /// Data is damaged.
    Data = 65,
    /// An input is missing.
    NoInput = 66,
    /// `--run-once` could deliver nothing.
    Unavailable = 69,
    /// A fault of the system or of the sensor.
    Software = 70,
    /// A file cannot be created.
    CannotCreate = 73,
    /// The store is held by another.
    TempFail = 75,
    /// Not permitted.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
