//! `type = "file"`: JSON lines in a file of the sensor's own, which is rotated.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, TryLockError},
};

use super::{
    BuildError, Kind, Parcel, Sending, Settings, Surroundings, Transport, delivered, retry,
};
use crate::config::{item::Item, reader::Table, set};

/// The type `file`.
pub static KIND: Kind = Kind {
    name: "file",
    number: 24,
    read,
};

#[derive(Debug, Clone)]
struct Lines {
    path: PathBuf,
    /// The file is rotated before it gets larger.
    max_bytes: u64,
    /// How many rotated files are kept.
    keep: u32,
}

fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let mut lines = Lines {
        path: PathBuf::from("/var/log/sensor/incidents.jsonl"),
        max_bytes: 10 << 20,
        keep: 5,
    };
    let path = table.take("path");
    set(&mut lines.path, path, |item: &Item<'_>| {
        item.name().map(PathBuf::from)
    });
    set(&mut lines.max_bytes, table.take("max_bytes"), |item| {
        item.integer(4_096..=1 << 40)
    });
    set(&mut lines.keep, table.take("keep"), |item| {
        item.integer(0..=1_000)
    });
    Arc::new(lines)
}

impl Settings for Lines {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        let max_bytes = i64::try_from(self.max_bytes).unwrap_or(i64::MAX);
        vec![
            ("path", self.path.display().to_string().into()),
            ("max_bytes", max_bytes.into()),
            ("keep", i64::from(self.keep).into()),
        ]
    }

    fn build(&self, _: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        Ok(Box::new(Writing {
            target: format!("file {}", self.path.display()),
            log: Arc::new(Mutex::new(Log {
                settings: self.clone(),
                file: None,
            })),
        }))
    }
}

struct Writing {
    target: String,
    log: Arc<Mutex<Log>>,
}

impl Transport for Writing {
    fn target(&self) -> String {
        self.target.clone()
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        let (log, json) = (Arc::clone(&self.log), parcel.json().clone());
        // A file system that hangs holds up nobody but this.
        let written = tokio::task::spawn_blocking(move || {
            let mut log = match log.try_lock() {
                Ok(log) => log,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("the file system does not answer"));
                }
            };
            log.append(&json)
        });
        Box::pin(async move {
            match written.await {
                Ok(Ok(())) => delivered(),
                Ok(Err(error)) => retry(error.to_string()),
                Err(_) => retry("the file system does not answer"),
            }
        })
    }
}

/// The file, and the ones before it.
struct Log {
    settings: Lines,
    file: Option<File>,
}

impl Log {
    /// Writes a whole line or nothing.
    fn append(&mut self, json: &[u8]) -> io::Result<()> {
        if !self.is_in_place() {
            self.file = None;
        }
        let mut line = Vec::with_capacity(json.len() + 2);
        line.extend_from_slice(json);
        line.push(b'\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let mut file = self.opened()?;
        let mut size = file.metadata()?.len();
        if size > 0 && size.saturating_add(length) > self.settings.max_bytes {
            self.rotate()?;
            file = self.opened()?;
            size = file.metadata()?.len();
        }
        if size > 0 && !ends_a_line(&file, size)? {
            // Somebody was killed while writing.
            line.insert(0, b'\n');
        }
        let written = (&file).write_all(&line);
        if written.is_err() {
            // On a full disk a part may be there.
            let _ = file.set_len(size);
            self.file = None;
        } else {
            self.file = Some(file);
        }
        written
    }

    /// Whether the name still leads to the open file: logrotate moves it away.
    fn is_in_place(&self) -> bool {
        let Some(file) = &self.file else { return false };
        let there = fs::symlink_metadata(&self.settings.path);
        let (Ok(there), Ok(open)) = (there, file.metadata()) else {
            return false;
        };
        (there.dev(), there.ino()) == (open.dev(), open.ino())
    }

    fn opened(&mut self) -> io::Result<File> {
        match self.file.take() {
            Some(file) => Ok(file),
            None => open(&self.settings.path),
        }
    }

    /// Moves every file on by one; the last one goes.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        let path = &self.settings.path;
        for number in (0..self.settings.keep).rev() {
            match fs::rename(numbered(path, number), numbered(path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.settings.keep == 0 {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// `path.1`, `path.2`, …; 0 is the file itself.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Opens or makes the file for its owner alone. A link is refused: what is
/// written is not for just anybody's place.
fn open(path: &Path) -> io::Result<File> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is not a regular file")),
    }
}

fn ends_a_line(mut file: &File, size: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(size - 1))?;
    let read = file.read(&mut last)?;
    Ok(read == 0 || last == *b"\n")
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
