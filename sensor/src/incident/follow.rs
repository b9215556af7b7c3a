//! Named log files of plugins: read from their end at first sight, through
//! rotation and truncation.
//!
//! Looked at once a second: a file whose name leads to another inode was
//! rotated, and one that is shorter than what was read of it was truncated.
//! Where somebody keeps their [`Position`]s, files are read on from there after
//! a restart; one that was rotated meanwhile is looked for beside its name.

use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    log::{LogOptions, LogParser, format::Formats},
    record::Incident,
};

mod glob;
mod position;

pub use position::Position;

/// How often files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often patterns are looked up again.
const EXPAND_EVERY: Duration = Duration::from_secs(10);
/// Files that are followed at once.
const FILES: usize = 1_024;
/// Bytes that are read of one file at once.
const CHUNK: usize = 64 * 1024;
/// Bytes that are read of one file in one look; the rest waits for the next.
const LOOK_BYTES: usize = 8 << 20;

/// The files of a plugin's services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Absolute paths; `*` and `?` stand within a name.
    pub patterns: Vec<String>,
    /// Whose files they are.
    pub services: Vec<Arc<str>>,
}

/// Follows files.
pub struct Follower {
    logs: LogOptions,
    wanted: Vec<Paths>,
    files: BTreeMap<PathBuf, Followed>,
    /// Those of the last run, until files are followed.
    before: BTreeMap<PathBuf, Position>,
    /// As they were told last.
    told: Vec<Position>,
    looked: Option<Instant>,
    expanded: Option<Instant>,
    /// Files above [`FILES`].
    left_out: bool,
    /// Files that were ever followed.
    opened: u64,
}

struct Followed {
    /// `None` while its name leads nowhere.
    open: Option<Open>,
    parser: LogParser,
    /// Whose file it is.
    services: Vec<Arc<str>>,
    /// Whether the last look brought something.
    grew: bool,
    /// Up to where nothing is held back any more, and where the last look
    /// began.
    safe: [u64; 2],
}

struct Open {
    file: File,
    device: u64,
    inode: u64,
    offset: u64,
    /// Where the last line begins that has no end yet.
    line: u64,
}

impl Follower {
    /// Follows nothing yet; `before` is up to where files were read by the last
    /// run.
    #[must_use]
    pub fn new(logs: LogOptions, before: Vec<Position>) -> Self {
        let named = |one: Position| (one.path.clone(), one);
        Self {
            logs,
            wanted: Vec::new(),
            files: BTreeMap::new(),
            told: before.clone(),
            before: before.into_iter().map(named).collect(),
            looked: None,
            expanded: None,
            left_out: false,
            opened: 0,
        }
    }

    /// Follows these from now on; those that it follows already go on where
    /// they are.
    pub fn follow(&mut self, wanted: Vec<Paths>) {
        if wanted == self.wanted {
            return;
        }
        self.wanted = wanted;
        let first = self.expanded.is_none() || self.files.is_empty();
        let listed = self.list();
        self.files.retain(|path, _| listed.contains_key(path));
        // What is there now is read from its end.
        self.add(listed, true);
        self.before.clear();
        self.expanded = Some(Instant::now());
        if first {
            self.looked = self.expanded;
        }
    }

    /// When to look next; never where there is nothing to follow.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let looked = self.looked.filter(|_| !self.wanted.is_empty())?;
        Some(looked + LOOK_EVERY)
    }

    /// Reads what was written since the last look.
    pub fn look(&mut self, now: Instant, wall: u64, found: &mut dyn FnMut(Incident)) {
        if self.next().is_none_or(|next| next > now) {
            return;
        }
        self.looked = Some(now);
        if self.expanded.is_none_or(|last| now >= last + EXPAND_EVERY) {
            self.expanded = Some(now);
            let listed = self.list();
            // A file that is new has nothing in it from before.
            self.add(listed, false);
        }
        for (path, followed) in &mut self.files {
            followed.parser.set_now(wall);
            followed.look(path, found);
        }
    }

    /// Reads what there is, and ends all traces: the end.
    pub fn finish(&mut self, found: &mut dyn FnMut(Incident)) {
        for (path, followed) in &mut self.files {
            followed.look(path, found);
            followed.parser.finish(found);
            let read = followed.open.as_ref().map_or(0, |open| open.offset);
            followed.safe = [read; 2];
        }
    }

    /// Up to where files were read, where that differs from the last answer. A
    /// trace that may go on counts as unread.
    pub fn positions(&mut self) -> Option<Vec<Position>> {
        // Before files are followed, those of the last run hold.
        self.expanded?;
        let files = self.files.iter();
        let now: Vec<_> = files.map(|(path, one)| one.position(path)).collect();
        (now != self.told).then(|| {
            self.told.clone_from(&now);
            now
        })
    }

    /// Knows these formats from now on. What is open is told as it was read; a
    /// line that has no end yet is read again.
    pub fn know(&mut self, formats: Arc<Formats>, found: &mut dyn FnMut(Incident)) {
        self.logs.formats = formats;
        for (path, mut followed) in std::mem::take(&mut self.files) {
            followed.parser.leave(found);
            followed.parser = self.parser(&path, &followed.services);
            if let Some(open) = &mut followed.open {
                open.offset = open.line;
            }
            self.files.insert(path, followed);
        }
    }

    fn parser(&mut self, path: &Path, services: &[Arc<str>]) -> LogParser {
        let mut logs = self.logs.clone();
        logs.path = Some(path.to_string_lossy().into_owned());
        logs.services = services.to_vec();
        // Incidents of two files have other ids.
        self.opened += 1;
        logs.seed = logs.seed.wrapping_add(self.opened << 40);
        LogParser::new(&logs)
    }

    fn list(&self) -> BTreeMap<PathBuf, Vec<Arc<str>>> {
        let mut listed: BTreeMap<PathBuf, Vec<Arc<str>>> = BTreeMap::new();
        for wanted in &self.wanted {
            for pattern in &wanted.patterns {
                glob::expand(pattern, FILES, &mut |path| {
                    let services = listed.entry(path).or_default();
                    services.extend(wanted.services.iter().cloned());
                    services.sort_unstable();
                    services.dedup();
                });
            }
        }
        listed
    }

    fn add(&mut self, listed: BTreeMap<PathBuf, Vec<Arc<str>>>, at_end: bool) {
        for (path, services) in listed {
            if self.files.contains_key(&path) {
                continue;
            }
            if self.files.len() >= FILES {
                if !std::mem::replace(&mut self.left_out, true) {
                    tracing::warn!("more than {FILES} log files; the rest is not read");
                }
                return;
            }
            // First of all: what is written from now on is new.
            let open = match self.before.remove(&path) {
                Some(before) => Open::again(&path, &before),
                None => Open::new(&path).ok().map(|mut open| {
                    if at_end {
                        open.offset = open.len();
                        open.line = open.offset;
                    }
                    open
                }),
            };
            let parser = self.parser(&path, &services);
            let safe = open.as_ref().map_or(0, |open| open.offset);
            let followed = Followed {
                open,
                parser,
                services,
                grew: false,
                safe: [safe; 2],
            };
            self.files.insert(path, followed);
        }
    }
}

impl Followed {
    fn look(&mut self, path: &Path, found: &mut dyn FnMut(Incident)) {
        let began = self.open.as_ref().map_or(0, |open| open.line);
        let mut read = self.read(found);
        let named = fs::metadata(path);
        let same = |open: &Open| named.as_ref().is_ok_and(|named| open.is(named));
        if !self.open.as_ref().is_some_and(same) {
            // Rotated: what came between the two looks is the rest of it.
            let rest = self.read(found);
            read += rest;
            if rest < LOOK_BYTES {
                if self.open.take().is_some() {
                    self.parser.finish(found);
                }
                self.open = Open::new(path).ok();
                self.safe = [0; 2];
                read += self.read(found);
            }
        } else if read == 0 {
            if self.grew {
                self.parser.quiet(found);
            }
            self.safe = [began; 2];
        } else {
            // What a look before the last one brought is told, unless a trace
            // took longer.
            self.safe = [self.safe[1].min(began), began];
        }
        self.grew = read > 0;
    }

    fn position(&self, path: &Path) -> Position {
        let open = self.open.as_ref();
        Position {
            path: path.to_owned(),
            device: open.map_or(0, |open| open.device),
            inode: open.map_or(0, |open| open.inode),
            offset: self.safe[0],
        }
    }

    /// Reads what is there; returns how many bytes that was.
    fn read(&mut self, found: &mut dyn FnMut(Incident)) -> usize {
        let Some(open) = &mut self.open else {
            return 0;
        };
        if open.len() < open.offset {
            // Truncated: what is there was written since.
            open.offset = 0;
            open.line = 0;
            self.safe = [0; 2];
            self.parser.finish(found);
        }
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while read < LOOK_BYTES {
            match open.file.read_at(&mut buffer, open.offset) {
                Ok(0) => break,
                Ok(len) => {
                    self.parser.feed(&buffer[..len], found);
                    if let Some(end) = buffer[..len].iter().rposition(|&byte| byte == b'\n') {
                        open.line = open.offset + end as u64 + 1;
                    }
                    open.offset += len as u64;
                    read += len;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        read
    }
}

impl Open {
    /// Opens a regular file; nothing else has lines.
    fn new(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // A pipe must not hold up anybody.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = options.read(true).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            offset: 0,
            line: 0,
            file,
        })
    }

    /// Opens the file that was read up to `before`, under whatever name it has
    /// now; else the one of that name, from its start.
    fn again(path: &Path, before: &Position) -> Option<Self> {
        let named = Self::new(path).ok();
        let is_it = |open: &Self| (open.device, open.inode) == (before.device, before.inode);
        let found = match named.as_ref().is_some_and(is_it) {
            true => named,
            false => match position::renamed(before).and_then(|old| Self::new(&old).ok()) {
                Some(old) if is_it(&old) => Some(old),
                _ => return named,
            },
        };
        found.map(|open| Self {
            offset: before.offset,
            line: before.offset,
            ..open
        })
    }

    fn is(&self, found: &Metadata) -> bool {
        (self.device, self.inode) == (found.dev(), found.ino())
    }

    fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
