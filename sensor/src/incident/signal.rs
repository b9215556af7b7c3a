//! Names of signals.

use nix::sys::signal::Signal;

/// glibc keeps the first two real-time signals, so that SIGRTMIN is 34.
const REAL_TIME_MIN: u8 = 34;
const REAL_TIME_MAX: u8 = 64;

/// `SIGKILL` for 9; `None` for what is no signal.
#[must_use]
pub fn name(signal: u8) -> Option<String> {
    if let Ok(signal) = Signal::try_from(i32::from(signal)) {
        return Some(signal.as_str().to_owned());
    }
    // As bash and kill(1) call them.
    match signal {
        32 | 33 => Some(format!("SIGRTMIN-{}", REAL_TIME_MIN - signal)),
        REAL_TIME_MIN => Some("SIGRTMIN".to_owned()),
        35..=49 => Some(format!("SIGRTMIN+{}", signal - REAL_TIME_MIN)),
        50..=63 => Some(format!("SIGRTMAX-{}", REAL_TIME_MAX - signal)),
        REAL_TIME_MAX => Some("SIGRTMAX".to_owned()),
        _ => None,
    }
}
