//! The files below a plugin's directory, read without leaving it.
//!
//! Every name is opened below an open directory and without following links,
//! so what is looked at, read and copied is one and the same file, whoever
//! renames what meanwhile.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use sha2::{Digest as _, Sha256};

/// More files than these are no plugin: somebody named the wrong directory.
pub const MAX_FILES: usize = 4_096;
/// What to do about an [`Odd`] thing.
pub const REMEDY: &str =
    "a plugin holds regular files and directories only; remove what is something else";
/// Directories deeper than these are not looked into.
const MAX_DEPTH: usize = 32;
const CHUNK: usize = 64 << 10;

/// SHA-256 of a file's bytes; shown as lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha(pub [u8; 32]);

/// What a file is, apart from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Of its bytes.
    pub sha256: Sha,
    /// In bytes.
    pub size: u64,
    /// The lower twelve bits of `st_mode`.
    pub mode: u32,
}

/// A directory's content, by relative path; the directory's own mode is that
/// of the path `.`.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    /// Regular files, sorted.
    pub files: Vec<(String, Facts)>,
    /// Directories and their modes, parents before what is in them.
    pub directories: Vec<(String, u32)>,
    /// Everything else, sorted.
    pub odd: Vec<Odd>,
}

/// Something that is no readable regular file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Odd {
    /// Relative path, lossy where it is not UTF-8.
    pub path: String,
    /// What is wrong with it: `is a symbolic link`.
    pub why: String,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.why)
    }
}

impl Tree {
    /// Reads everything below `directory`.
    ///
    /// # Errors
    /// Where the directory cannot be opened or holds too much.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, directory, flags, Mode::empty())?;
        let mut tree = Self {
            root,
            files: Vec::new(),
            directories: Vec::new(),
            odd: Vec::new(),
        };
        let mode = tree.root.try_clone().and_then(|fd| Ok(fstat(fd)?))?;
        tree.directories.push((".".to_owned(), mode_of(&mode)));
        let mut next = 0;
        while let Some((path, _)) = tree.directories.get(next) {
            let path = path.clone();
            next += 1;
            if let Err(error) = tree.read_directory(&path) {
                if next == 1 || error.kind() == io::ErrorKind::FileTooLarge {
                    return Err(error);
                }
                tree.directories.retain(|(known, _)| *known != path);
                next -= 1;
                tree.odd.push(unreadable(path, &error));
            }
        }
        tree.files.sort_by(|a, b| a.0.cmp(&b.0));
        tree.odd.sort();
        Ok(tree)
    }

    /// Opens one of `files` by its path.
    ///
    /// # Errors
    /// Where it cannot be opened, or is no regular file (any more).
    pub fn open(&self, path: &str) -> io::Result<File> {
        // O_NONBLOCK: what was a file a moment ago may be a pipe now.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.open_below(path, flags)?;
        if FileType::from_raw_mode(fstat(&fd)?.st_mode) == FileType::RegularFile {
            Ok(File::from(fd))
        } else {
            Err(io::Error::other("is not a regular file"))
        }
    }

    fn open_below(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut directory = self.root.try_clone()?;
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            let step = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            directory = openat(&directory, part, step, Mode::empty())?;
        }
        Ok(openat(&directory, name, flags, Mode::empty())?)
    }

    fn read_directory(&mut self, path: &str) -> io::Result<()> {
        let fd = self.open_below(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        for entry in Dir::read_from(&fd)? {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            let below = |name: &str| match path {
                "." => name.to_owned(),
                _ => format!("{path}/{name}"),
            };
            let Ok(name) = std::str::from_utf8(bytes) else {
                let path = below(&String::from_utf8_lossy(bytes));
                self.push_odd(path, "has a name that is not UTF-8");
                continue;
            };
            let path = below(name);
            match statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.add(path, &stat),
                Err(error) => self.odd.push(unreadable(path, &error.into())),
            }
            if self.files.len() + self.directories.len() + self.odd.len() > MAX_FILES {
                let message =
                    format!("holds more than {MAX_FILES} files; name a plugin's directory");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, stat: &Stat) {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => match self.facts(&path) {
                Ok(facts) => self.files.push((path, facts)),
                Err(error) => self.odd.push(unreadable(path, &error)),
            },
            FileType::Directory if path.split('/').count() < MAX_DEPTH => {
                self.directories.push((path, mode_of(stat)));
            }
            FileType::Directory => self.push_odd(path, "is nested too deep"),
            FileType::Symlink => self.push_odd(path, "is a symbolic link"),
            FileType::Fifo => self.push_odd(path, "is a pipe"),
            FileType::Socket => self.push_odd(path, "is a socket"),
            _ => self.push_odd(path, "is a device"),
        }
    }

    fn facts(&self, path: &str) -> io::Result<Facts> {
        let mut file = self.open(path)?;
        let mode = mode_of(&fstat(&file)?);
        let (sha256, size) = pour(&mut file, &mut io::sink())?;
        Ok(Facts { sha256, size, mode })
    }

    fn push_odd(&mut self, path: String, why: &str) {
        let why = why.to_owned();
        self.odd.push(Odd { path, why });
    }
}

/// Copies all that is left of `from`, and tells what it was.
///
/// # Errors
/// Of either side.
pub fn pour(from: &mut impl Read, to: &mut impl Write) -> io::Result<(Sha, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok((Sha(hash.finalize().into()), size)),
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(read);
        to.write_all(read)?;
        size += read.len() as u64;
    }
}

fn mode_of(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

fn unreadable(path: String, error: &io::Error) -> Odd {
    let why = format!("cannot be read: {error}");
    Odd { path, why }
}

impl Sha {
    /// Reads 64 hex digits of either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_known_hash() {
        let (sha, size) = pour(&mut &b"abc"[..], &mut io::sink()).unwrap();
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((sha.to_string().as_str(), size), (hex, 3));
        assert_eq!(Sha::from_hex(&hex.to_uppercase()), Some(sha));
        for bad in ["", &hex[1..], &hex.replace('b', "g"), &"é".repeat(32)] {
            assert_eq!(Sha::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn links_lead_nowhere_and_pipes_do_not_block() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/b"), "b").unwrap();
        fs::write(at("a"), "a").unwrap();
        symlink(outside.path(), at("dirlink")).unwrap();
        symlink(outside.path().join("secret"), at("link")).unwrap();
        let mode = Mode::RUSR;
        rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, mode, 0).unwrap();

        let tree = Tree::read(dir.path()).unwrap();
        let files: Vec<&str> = tree.files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(files, ["a", "sub/b"]);
        let odd: Vec<String> = tree.odd.iter().map(ToString::to_string).collect();
        assert_eq!(
            odd,
            [
                "dirlink is a symbolic link",
                "link is a symbolic link",
                "pipe is a pipe"
            ]
        );
        // A directory that becomes a link after the look is not followed.
        fs::rename(at("sub"), at("was")).unwrap();
        symlink(at("was"), at("sub")).unwrap();
        assert!(tree.open("sub/b").is_err());
        assert!(tree.open("pipe").is_err());
    }

    #[test]
    fn a_whole_disk_is_no_plugin() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..=MAX_FILES {
            fs::write(dir.path().join(number.to_string()), "").unwrap();
        }
        let error = Tree::read(dir.path()).unwrap_err();
        assert!(error.to_string().contains("more than 4096"), "{error}");
    }
}
