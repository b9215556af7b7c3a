//! The figures that plugins read from files of their choice
//! (`[[custom_metrics]]`): bounded, and never waiting for what is no file.

use std::{os::fd::AsRawFd, sync::Arc};

use regex::bytes::Regex;
use rustix::{
    buffer::spare_capacity,
    fd::OwnedFd,
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2},
    io::{Errno, read, retry_on_intr},
};

use super::number::Number;
use crate::{
    plugin::{
        CustomMetric, Find, Instrument,
        custom_check::{Fault, PID, Place, check, compile},
    },
    procfs::{Proc, ReadError},
};

/// Longest file that is read. Those of /proc have the same limit.
const LIMIT: usize = 64 * 1024;

/// The custom metrics of a plugin, ready to be read: each file once.
#[derive(Debug)]
pub struct CustomSet {
    /// Name of the plugin.
    pub plugin: Arc<str>,
    /// The metrics.
    pub metrics: Vec<CustomMetric>,
    finders: Vec<Finder>,
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    place: Place,
    /// Indices of the metrics that are in it.
    metrics: Vec<usize>,
}

#[derive(Debug)]
enum Finder {
    Field(Vec<u8>),
    Regex(Regex),
}

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// There is no such file.
    NoFile,
    /// The file says nothing of the field.
    NotFound,
    /// No permission.
    Denied,
    /// It is a pipe, a device, a directory or the like.
    NoRegularFile,
    /// Its path leads out of the directory below which it may be.
    Outside,
    /// It is longer than 64 KiB.
    TooLong,
    /// It could not be read for another reason.
    Unreadable,
    /// What was found is no number, or none that a counter can have.
    NoNumber,
}

impl Cause {
    /// The name of the cause in the sensor's own telemetry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFile => "no_file",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::NoRegularFile => "no_regular_file",
            Self::Outside => "outside",
            Self::TooLong => "too_long",
            Self::Unreadable => "unreadable",
            Self::NoNumber => "no_number",
        }
    }

    /// Whether there is nothing to be known; else there is, and it is not
    /// known (contract S6).
    #[must_use]
    pub fn is_absence(self) -> bool {
        matches!(self, Self::NoFile | Self::NotFound)
    }

    fn of(error: ReadError) -> Self {
        match error {
            ReadError::Gone => Self::NoFile,
            ReadError::Denied => Self::Denied,
            ReadError::TooLong(_) => Self::TooLong,
            ReadError::Other(Errno::ISDIR) => Self::NoRegularFile,
            ReadError::Malformed | ReadError::Other(_) => Self::Unreadable,
        }
    }
}

/// What was found of one metric: its index, and its number.
pub type Finding = (usize, Result<Number, Cause>);

impl CustomSet {
    /// Makes metrics ready to be read; those with a fault are left out.
    #[must_use]
    pub fn new(plugin: &str, metrics: &[CustomMetric]) -> (Option<Arc<Self>>, Vec<Fault>) {
        let faults = check(metrics);
        let mut set = Self {
            plugin: plugin.into(),
            metrics: Vec::new(),
            finders: Vec::new(),
            files: Vec::new(),
        };
        for (index, metric) in metrics.iter().enumerate() {
            let sound = faults.iter().all(|fault| fault.index != index);
            let finder = Finder::new(&metric.find);
            // Both are good where there is no fault.
            if let (true, Ok(finder), Ok(place)) = (sound, finder, Place::parse(&metric.file)) {
                set.add(metric, finder, place);
            }
        }
        let some = !set.metrics.is_empty();
        (some.then(|| Arc::new(set)), faults)
    }

    fn add(&mut self, metric: &CustomMetric, finder: Finder, place: Place) {
        let index = self.metrics.len();
        self.metrics.push(metric.clone());
        self.finders.push(finder);
        match self.files.iter_mut().find(|file| file.place == place) {
            Some(file) => file.metrics.push(index),
            None => self.files.push(File {
                place,
                metrics: vec![index],
            }),
        }
    }

    /// Reads what a process has; a file once, however many metrics are in it.
    /// That it is still the expected process is for the caller to find out,
    /// after this.
    pub fn of_member(
        &self,
        proc: &mut Proc,
        buffer: &mut Vec<u8>,
        pid: u32,
        found: &mut Vec<Finding>,
    ) {
        for file in self.files.iter().filter(|file| file.place.of_member()) {
            match &file.place {
                Place::Process(path) => {
                    let own = path.contains(PID);
                    let filled = own.then(|| path.replace(PID, &pid.to_string()));
                    let path = filled.as_deref().unwrap_or(path);
                    let bytes = proc.read_all(pid, path).map_err(Cause::of);
                    self.find(file, bytes, found);
                }
                Place::Below(root, path) => {
                    let path = path.replace(PID, &pid.to_string());
                    let read = read_below(root, &path, buffer);
                    self.find(file, read.map(|()| buffer.as_slice()), found);
                }
            }
        }
    }

    /// Reads what is the same for all members: once an interval.
    pub fn of_host(&self, buffer: &mut Vec<u8>, found: &mut Vec<Finding>) {
        for file in self.files.iter().filter(|file| !file.place.of_member()) {
            if let Place::Below(root, path) = &file.place {
                let read = read_below(root, path, buffer);
                self.find(file, read.map(|()| buffer.as_slice()), found);
            }
        }
    }

    fn find(&self, file: &File, bytes: Result<&[u8], Cause>, found: &mut Vec<Finding>) {
        for &index in &file.metrics {
            let metric = &self.metrics[index];
            let number = bytes
                .and_then(|bytes| self.finders[index].find(bytes))
                .and_then(|number| {
                    let scaled = number.scaled(metric.scale.factor());
                    let falls = metric.instrument == Instrument::Counter && number.as_f64() < 0.0;
                    scaled.filter(|_| !falls).ok_or(Cause::NoNumber)
                });
            found.push((index, number));
        }
    }
}

impl Finder {
    fn new(find: &Find) -> Result<Self, String> {
        match find {
            Find::Field(field) => Ok(Self::Field(field.trim().as_bytes().to_vec())),
            Find::Regex(pattern) => compile(pattern).map(Self::Regex),
        }
    }

    fn find(&self, bytes: &[u8]) -> Result<Number, Cause> {
        match self {
            Self::Field(name) => field(bytes, name),
            Self::Regex(regex) => {
                let captures = regex.captures(bytes).ok_or(Cause::NotFound)?;
                let number = captures.get(1).ok_or(Cause::NotFound)?;
                Number::parse(number.as_bytes()).ok_or(Cause::NoNumber)
            }
        }
    }
}

/// The number in the content of a file; `None` where what is to be found is no
/// expression.
#[must_use]
pub fn number_in(find: &Find, bytes: &[u8]) -> Option<Result<Number, Cause>> {
    Some(Finder::new(find).ok()?.find(bytes))
}

/// The number behind a name at the beginning of a line, parted from it by a
/// colon, an equals sign or blanks: `VmSwap:  12 kB`, `cpu  123 456`, `key=5`.
fn field(bytes: &[u8], name: &[u8]) -> Result<Number, Cause> {
    let mut cause = Cause::NotFound;
    for line in bytes.split(|&byte| byte == b'\n') {
        let Some(rest) = line.trim_ascii_start().strip_prefix(name) else {
            continue;
        };
        let value = rest.trim_ascii_start();
        let value = value.strip_prefix(b":").or(value.strip_prefix(b"="));
        let value = match (value, rest.first()) {
            (Some(value), _) => value.trim_ascii_start(),
            (None, Some(blank)) if blank.is_ascii_whitespace() => rest.trim_ascii_start(),
            // Another name that begins the same.
            (None, _) => continue,
        };
        let word = value.split(u8::is_ascii_whitespace).next();
        match word.and_then(Number::parse) {
            Some(number) => return Ok(number),
            None => cause = Cause::NoNumber,
        }
    }
    Err(cause)
}

/// Reads a regular file below a directory, of at most [`LIMIT`] bytes. Links
/// are followed as long as they stay below it.
fn read_below(root: &str, path: &str, buffer: &mut Vec<u8>) -> Result<(), Cause> {
    buffer.clear();
    let file = open_below(root, path).map_err(|errno| match errno {
        Errno::XDEV | Errno::LOOP => Cause::Outside,
        errno => Cause::of(errno.into()),
    })?;
    let file = file.ok_or(Cause::NoRegularFile)?;
    loop {
        if buffer.len() > LIMIT {
            return Err(Cause::TooLong);
        }
        buffer.reserve(LIMIT + 1 - buffer.len());
        match retry_on_intr(|| read(&file, spare_capacity(buffer))) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(errno) => return Err(Cause::of(errno.into())),
        }
    }
}

/// `None`: there is something, but no regular file. It is looked at before it
/// is opened: to open a device may do something already.
fn open_below(root: &str, path: &str) -> Result<Option<OwnedFd>, Errno> {
    let directory = open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = openat2(&directory, path, flags, Mode::empty(), resolve)?;
    if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    rustix::fs::openat(CWD, again, flags, Mode::empty()).map(Some)
}

#[cfg(test)]
#[path = "custom_tests.rs"]
mod tests;
