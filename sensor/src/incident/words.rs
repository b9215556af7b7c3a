//! Last words: the tail of the files that a process wrote to, read once, after
//! its end; what the kernel was asked to copy where standard error was no file;
//! and what the journal has of it ([`journal`](super::journal)).

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use super::{
    ended::{Ended, Written},
    record::LAST_WORDS,
};

/// Bytes that are searched for an exception; stack traces are long.
pub(super) const SEARCHED: u64 = 256 * 1024;
/// Bytes that are searched for an error line.
const NEAR_END: usize = 4 * 1024;
/// What /proc and the clocks may differ by, ns.
const TICK_NS: u64 = 10_000_000;

/// What a process wrote into one file, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The file, as the process named it; `None` where it was none.
    pub path: Option<PathBuf>,
    /// stdout or stderr; `None`: both.
    pub stream: Option<&'static str>,
    /// Whole lines but for the last one, raw bytes.
    pub text: Vec<u8>,
}

impl Words {
    /// The end of it, with whole lines where there are any.
    #[must_use]
    pub fn last(&self) -> &[u8] {
        tail(&self.text, LAST_WORDS)
    }

    /// The lines that are about the end, if any are.
    #[must_use]
    pub fn near_end(&self) -> &[u8] {
        tail(&self.text, NEAR_END)
    }
}

/// What a process left in its files, standard error first. A file that cannot
/// be read, or that is not the one that the process had, has nothing to say.
#[must_use]
pub fn of(ended: &Ended) -> Vec<Words> {
    let parent = ended.process.parent_pid;
    let mut words: Vec<Words> = ended
        .written
        .iter()
        .filter_map(|written| {
            let file = open(written, parent)?;
            let from = begin(written, &file, ended.process.creation_time.0)?;
            let text = read(&file, from, written.to).ok()?;
            (!text.is_empty()).then(|| Words {
                path: Some(path_of(written).to_owned()),
                stream: written.stream,
                text,
            })
        })
        .collect();
    words.sort_by_key(|words| words.stream == Some("stdout"));
    let has_stderr = words.iter().any(|words| words.stream != Some("stdout"));
    if !has_stderr && !ended.tapped.is_empty() {
        let tapped = Words {
            path: None,
            stream: Some("stderr"),
            text: ended.tapped.clone(),
        };
        words.insert(0, tapped);
    }
    words
}

fn path_of(written: &Written) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(&written.path))
}

/// Opens the file: in the sensor's tree of mounts, else in that of the parent,
/// for a process in a container.
fn open(written: &Written, parent: Option<u32>) -> Option<File> {
    let path = path_of(written);
    let foreign = parent.map(|pid| {
        let inside = path.strip_prefix("/").unwrap_or(path);
        Path::new("/proc")
            .join(pid.to_string())
            .join("root")
            .join(inside)
    });
    [Some(path.to_owned()), foreign]
        .into_iter()
        .flatten()
        .find_map(|path| {
            // Whoever put a pipe there meanwhile must not hold up anybody.
            let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY;
            let mut options = OpenOptions::new();
            let file = options.read(true).custom_flags(flags).open(path).ok()?;
            let found = file.metadata().ok()?;
            (found.is_file() && found.ino() == written.inode).then_some(file)
        })
}

/// Where the process's own words begin. `None` where that is unknown: the file
/// was opened after its program began, and is older than the process.
fn begin(written: &Written, file: &File, born: u64) -> Option<u64> {
    let noted = written.from.or_else(|| {
        let created = file.metadata().ok()?.created().ok()?;
        let since = created.duration_since(std::time::UNIX_EPOCH).ok()?;
        let created = u64::try_from(since.as_nanos()).ok()?;
        (created + TICK_NS >= born).then_some(0)
    })?;
    // Truncated meanwhile: what is there came after.
    Some(if noted > written.to { 0 } else { noted })
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let start = from.max(to.saturating_sub(SEARCHED));
    let mut text = vec![0; usize::try_from(to.saturating_sub(start)).unwrap_or_default()];
    let mut len = 0;
    while len < text.len() {
        match file.read_at(&mut text[len..], start + len as u64) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(len);
    if start > from {
        text = tail(&text, text.len().saturating_sub(1)).to_vec();
    }
    // A writer that does not append leaves a hole where the file was cut.
    let hole = text.iter().take_while(|&&byte| byte == 0).count();
    text.drain(..hole);
    Ok(text)
}

/// The last `limit` bytes, from the beginning of a line on where there is one.
fn tail(text: &[u8], limit: usize) -> &[u8] {
    let Some(cut) = text.len().checked_sub(limit).filter(|&cut| cut > 0) else {
        return text;
    };
    let rest = &text[cut..];
    if text[cut - 1] == b'\n' {
        return rest;
    }
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) if end + 1 < rest.len() => &rest[end + 1..],
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn written(path: &Path, from: Option<u64>, to: u64) -> Written {
        Written {
            path: path.as_os_str().as_bytes().into(),
            stream: Some("stderr"),
            inode: path.metadata().unwrap().ino(),
            from,
            to,
        }
    }

    fn words(written: &Written, born: u64) -> Option<String> {
        let file = open(written, None)?;
        let from = begin(written, &file, born)?;
        let text = read(&file, from, written.to).unwrap();
        Some(String::from_utf8(text).unwrap())
    }

    #[test]
    fn only_what_was_written_between_exec_and_end_counts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"old\nnew\nlater\n").unwrap();
        let path = file.path().to_owned();
        assert_eq!(words(&written(&path, Some(4), 8), 0).unwrap(), "new\n");
        // Cut by somebody meanwhile.
        assert_eq!(words(&written(&path, Some(99), 4), 0).unwrap(), "old\n");
        // Opened later: a file that is younger than the process is its own.
        assert_eq!(words(&written(&path, None, 4), 0).unwrap(), "old\n");
        assert_eq!(words(&written(&path, None, 4), u64::MAX), None);
        // Another file in its place.
        let mut other = written(&path, Some(4), 8);
        other.inode += 1;
        assert_eq!(words(&other, 0), None);
    }

    #[test]
    fn a_long_text_is_cut_at_a_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let lines = 10_000;
        file.write_all(&line.repeat(lines)).unwrap();
        let all = (lines * 100) as u64;
        let found = words(&written(file.path(), Some(0), all), 0).unwrap();
        assert!(found.len() as u64 <= SEARCHED && found.len().is_multiple_of(100));
        assert_eq!(tail(b"ab\ncd\n", 4), b"cd\n");
        assert_eq!(tail(b"ab\ncd\n", 3), b"cd\n");
        assert_eq!(tail(b"abcdef", 3), b"def");
        assert_eq!(tail(b"abc", 3), b"abc");
    }

    #[test]
    fn a_hole_is_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(4_096).unwrap();
        file.as_file().write_all_at(b"boom\n", 4_096).unwrap();
        assert_eq!(
            words(&written(file.path(), Some(0), 4_101), 0).unwrap(),
            "boom\n"
        );
    }
}
