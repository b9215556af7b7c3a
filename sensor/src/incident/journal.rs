//! What a process said to the journal: entries by its pid, of this boot, since
//! its birth. Services of systemd write there as a rule.
//!
//! The files are read as they are, by their index, with neither journalctl nor
//! libsystemd (<https://systemd.io/JOURNAL_FILE_FORMAT>).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

use sdjournal::{Journal, JournalConfig, SdJournalError};

use super::words::{SEARCHED, Words};
use crate::units::WallNanos;

/// Where journals are, persistent ones and those until the next boot.
const PLACES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// What journald may need to take in what is in its socket. It does so after
/// the process has ended, too.
pub(super) const SETTLES: Duration = Duration::from_millis(500);
/// Entries that are looked at.
const ENTRIES: usize = 2_000;
/// Files that are opened at once: each takes a descriptor.
const FILES: usize = 512;
/// What /proc and the clocks may differ by, us.
const TICK_US: u64 = 10_000;
/// Ways on which a process's own words come: not what the kernel or the audit
/// say of it.
const OWN: [&[u8]; 3] = [b"stdout", b"syslog", b"journal"];

/// Whether there is a journal at all.
#[must_use]
pub(super) fn exists() -> bool {
    !dirs(&PLACES).is_empty()
}

/// The files as they are now.
pub(super) struct Open(Option<Journal>);

/// Opens the journals of the host.
#[must_use]
pub(super) fn open() -> Open {
    open_in(&dirs(&PLACES))
}

fn open_in(dirs: &[PathBuf]) -> Open {
    let config = JournalConfig {
        max_journal_files: FILES,
        ..JournalConfig::default()
    };
    let opened = Journal::open_dirs_with_config(dirs, config);
    if let Err(error @ SdJournalError::LimitExceeded { .. }) = &opened {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::warn!(
                "no last words from the journal: {error}; `journalctl --vacuum-files=100` \
                 removes the oldest"
            );
        });
    }
    Open(opened.map_err(told).ok())
}

fn told(error: SdJournalError) {
    tracing::debug!("cannot read the journal: {error}");
}

impl Open {
    /// What a process said, oldest first, as far as it is looked at.
    #[must_use]
    pub(super) fn words(&self, pid: u32, born: WallNanos) -> Option<Words> {
        let mut query = self.0.as_ref()?.query();
        query.match_exact("_PID", pid.to_string().as_bytes());
        query.since_realtime((born.0 / 1_000).saturating_sub(TICK_US));
        query.seek_tail().reverse(true).limit(ENTRIES);
        let boot = boot();
        let mut left = usize::try_from(SEARCHED).unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        for entry in query.iter().map_err(told).ok()? {
            // One that is being written is not whole yet.
            let Ok(entry) = entry else {
                continue;
            };
            let own = entry
                .get("_TRANSPORT")
                .is_some_and(|way| OWN.contains(&way));
            if !own || boot.is_some_and(|boot| entry.boot_id() != boot) {
                continue;
            }
            let Some(message) = entry.get("MESSAGE") else {
                continue;
            };
            let Some(rest) = left.checked_sub(message.len() + 1) else {
                break;
            };
            left = rest;
            lines.push(message.to_vec());
        }
        let mut text = Vec::new();
        for line in lines.iter().rev() {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        (!text.is_empty()).then_some(Words {
            path: None,
            stream: None,
            text,
        })
    }
}

/// Directories of journals: called as the machine's id, those of a namespace
/// with its name behind (journald.conf(5)).
fn dirs<P: AsRef<Path>>(places: &[P]) -> Vec<PathBuf> {
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok());
    let named = |name: &[u8]| {
        let (id, rest) = name.split_at(name.len().min(32));
        id.len() == 32
            && id.iter().all(u8::is_ascii_hexdigit)
            && rest.first().is_none_or(|&dot| dot == b'.')
    };
    let mut dirs: Vec<PathBuf> = entries
        .flat_map(|entries| entries.flatten())
        .filter(|entry| named(entry.file_name().as_encoded_bytes()))
        .map(|entry| entry.path())
        .collect();
    dirs.sort_unstable();
    dirs
}

/// This boot, as journald notes it.
fn boot() -> Option<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(uuid::Uuid::try_parse(text.trim()).ok()?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_are_found_by_the_machine_and_a_namespace() {
        let place = tempfile::tempdir().unwrap();
        let id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
        for name in [id, &format!("{id}.shop"), &format!("{id}x"), "remote", "é"] {
            fs::create_dir(place.path().join(name)).unwrap();
        }
        let found = dirs(&[place.path(), Path::new("/nowhere")]);
        let wanted = [id.to_owned(), format!("{id}.shop")];
        assert_eq!(found, wanted.map(|name| place.path().join(name)));
    }

    #[test]
    fn what_is_no_journal_has_nothing_to_say() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("3d1219c7c4c5404aaa1f6d2a48adfda4");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("system.journal"), b"LPKSHHRHodd").unwrap();
        let open = open_in(&dirs(&[place.path()]));
        assert_eq!(open.words(1, WallNanos(0)), None);
        assert_eq!(open_in(&[]).words(1, WallNanos(0)), None);
        assert!(boot().is_some());
    }
}
