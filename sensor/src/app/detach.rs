//! `sensor detach`: nothing stays in the kernel.

use std::path::Path;

use super::setup::{Stop, print};
use crate::{exit::Exit, source::pins};

/// Removes every pin, those of a sensor that runs too: its hooks then end with
/// it.
///
/// # Errors
///
/// Where some cannot be removed.
pub fn run() -> Result<Exit, Stop> {
    let root = Path::new(pins::ROOT);
    let running: Vec<_> = pins::daemons()
        .into_iter()
        .filter(|(_, held, _)| *held)
        .collect();
    let before = pins::count(root);
    let removed = match pins::remove(root) {
        Ok(removed) => removed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => pins::Removed::default(),
        // The directory itself may belong to somebody else: it holds nothing.
        Err(_) if before.pins > 0 && pins::count(root).pins == 0 => before,
        Err(_) if before.pins == 0 => before,
        Err(error) => {
            let exit = match error.kind() {
                std::io::ErrorKind::PermissionDenied => Exit::NoPermission,
                _ => Exit::Software,
            };
            let left = pins::count(root).pins;
            let line = format!("{}: {error}; {left} pins are left", pins::ROOT);
            return Err(Stop::new(exit, line));
        }
    };
    print(&match removed.pins {
        0 => "nothing was pinned\n".to_owned(),
        pins => format!("removed {pins} pins, {} of them hooks\n", removed.hooks),
    })?;
    for (_, _, pid) in running {
        let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        print(&format!(
            "a sensor runs{pid}: it keeps its hooks until it ends\n"
        ))?;
    }
    Ok(Exit::Done)
}
