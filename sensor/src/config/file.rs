//! Opens a file that somebody else put there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::problem::Problem;

/// The largest file that is read: 1 MiB.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads a text file whole.
///
/// # Errors
/// One problem that says why not: missing, a dangling link, not a regular
/// file, unreadable, over 1 MiB, not UTF-8. A pipe or device is never opened.
pub fn read_text(path: &Path) -> Result<String, Problem> {
    let bytes = read_bytes(path).map_err(|message| Problem::file(path, message))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let newlines = bytes[..good].iter().filter(|&&byte| byte == b'\n').count();
        Problem {
            line: Some(newlines + 1),
            ..Problem::file(path, "is not UTF-8 text; save it in that encoding")
        }
    })
}

/// Tells whether anything has this name, a dangling link included.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = fs::metadata(path).map_err(|error| missing(path, &error))?;
    check_kind(metadata.file_type())?;
    // Between the look and the open the file may be replaced: O_NONBLOCK
    // keeps even a pipe from stopping us, and the open file is looked at again.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| unreadable(&error))?;
    check_kind(
        file.metadata()
            .map_err(|error| unreadable(&error))?
            .file_type(),
    )?;
    read_bounded(file)
}

fn read_bounded(file: File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err("is larger than 1 MiB".to_owned())
    }
}

fn check_kind(kind: fs::FileType) -> Result<(), String> {
    let name = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(format!("is {name}, not a regular file"))
}

fn missing(path: &Path, error: &io::Error) -> String {
    match (error.kind(), fs::read_link(path)) {
        (io::ErrorKind::NotFound, Ok(target)) => {
            format!("is a dangling link to {}", target.display())
        }
        (io::ErrorKind::NotFound, Err(_)) => "does not exist".to_owned(),
        _ => unreadable(error),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn check(path: &Path, line: Option<usize>, message: &str) {
        let problem = read_text(path).unwrap_err();
        assert_eq!(problem.file, path);
        assert_eq!(problem.line, line);
        assert!(problem.message.contains(message), "{problem}");
    }

    #[test]
    fn hostile_files_are_named_and_never_block() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| -> PathBuf { dir.path().join(name) };
        check(&at("missing"), None, "does not exist");
        check(dir.path(), None, "a directory, not a regular file");
        check(Path::new("/dev/zero"), None, "a device, not a regular file");

        let fifo = at("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        check(&fifo, None, "a pipe, not a regular file");
        symlink(&fifo, at("link-to-fifo")).unwrap();
        check(&at("link-to-fifo"), None, "a pipe, not a regular file");

        symlink(at("nowhere"), at("dangling")).unwrap();
        check(&at("dangling"), None, "a dangling link");
        assert!(is_there(&at("dangling")));
        symlink("loop", at("loop")).unwrap();
        check(&at("loop"), None, "cannot be read");

        std::fs::write(at("latin1"), b"a = 1\nb = '\xe9'\n").unwrap();
        check(&at("latin1"), Some(2), "not UTF-8");

        let limit = usize::try_from(MAX_FILE_BYTES).unwrap();
        std::fs::write(at("large"), vec![b'#'; limit + 1]).unwrap();
        check(&at("large"), None, "1 MiB");
        std::fs::write(at("full"), vec![b'#'; limit]).unwrap();
        assert_eq!(read_text(&at("full")).unwrap().len(), limit);
        symlink(at("full"), at("link")).unwrap();
        assert_eq!(read_text(&at("link")).unwrap().len(), limit);
    }
}
