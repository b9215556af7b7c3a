//! The log: to standard error or a file, never between the lines of output.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Writes to the log that failed: a full disk must not stop the sensor.
static FAILED: AtomicU64 = AtomicU64::new(0);

/// The file of the log, where there is one.
static FILE: OnceLock<LogFile> = OnceLock::new();

struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

/// Log lines that could not be written.
#[must_use]
pub fn failed_writes() -> u64 {
    FAILED.load(Ordering::Relaxed)
}

/// Starts the log.
///
/// # Errors
///
/// Where the file cannot be opened.
pub fn start(level: tracing::Level, file: Option<&Path>) -> io::Result<()> {
    let terminal = file.is_none() && io::IsTerminal::is_terminal(&io::stderr());
    let out = match file {
        Some(path) => Out::File(FILE.get_or_init({
            let file = Mutex::new(open(path)?);
            let path = path.to_owned();
            || LogFile { path, file }
        })),
        None => Out::Stderr,
    };
    // The Kafka library tells of each of its tries; we tell once.
    let quiet = Targets::new()
        .with_default(level)
        .with_target("rskafka", LevelFilter::OFF);
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from_level(level))
        .with_ansi(terminal)
        .with_target(false)
        .log_internal_errors(false)
        .with_writer(move || Counted(out))
        .finish()
        .with(quiet)
        .init();
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Goes on in the file that has the log's name now: who rotates logs renames
/// the one that was open.
pub fn reopen() {
    let Some(LogFile { path, file }) = FILE.get() else {
        return;
    };
    match open(path) {
        Ok(new) => *file.lock().unwrap_or_else(PoisonError::into_inner) = new,
        Err(error) => tracing::error!(
            "the log goes on in the file that was open: cannot open {}: {error}",
            path.display()
        ),
    }
}

#[derive(Clone, Copy)]
enum Out {
    Stderr,
    File(&'static LogFile),
}

/// Counts what could not be written instead of telling the caller.
struct Counted(Out);

impl Write for Counted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = match &mut self.0 {
            Out::Stderr => io::stderr().write_all(line),
            Out::File(log) => {
                let mut file = log.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(line)
            }
        };
        if written.is_err() {
            FAILED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
