//! Stage 2: bytes from the ring become events, or are counted as rejected.
//!
//! The bytes are an allegation. This is the only place that interprets them.

use std::ptr;

use sensor_common::{
    event::{Exec, Exit, Fork, Header, Late, Output, PATH_WHOLE, Tap},
    kind,
};

/// One record of the ring.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A process was born.
    Fork(Fork),
    /// A process runs a new program.
    Exec(Box<Exec>, ExecTail<'a>),
    /// A process ended.
    Exit(Box<Exit>),
    /// Figures that missed the exit record.
    Late(Box<Late>),
    /// A process took another name.
    Rename(Header),
    /// Where a process that is about to end wrote, with the path of the file;
    /// `None` where it is unknown.
    Output(Box<Output>, Option<Vec<u8>>),
    /// What a process was about to write to descriptor 2, as far as it was
    /// taken.
    Tap(Tap, &'a [u8]),
}

impl Event<'_> {
    /// What every record begins with.
    #[must_use]
    pub fn header(&self) -> &Header {
        match self {
            Self::Fork(fork) => &fork.header,
            Self::Exec(exec, _) => &exec.header,
            Self::Exit(exit) => &exit.header,
            Self::Late(late) => &late.header,
            Self::Rename(header) => header,
            Self::Output(output, _) => &output.header,
            Self::Tap(tap, _) => &tap.header,
        }
    }
}

/// The variable part of an exec record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExecTail<'a> {
    /// Absolute path of the executable file; `None` where it is unknown.
    pub path: Option<Vec<u8>>,
    /// Arguments, each with its NUL; cut where the record says so.
    pub args: &'a [u8],
}

/// Why a record was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Fewer bytes than the kind needs, or lengths that point outside.
    #[error("record cut short")]
    Short,
    /// A kind of a newer or damaged producer.
    #[error("record of unknown kind {0}")]
    Kind(u32),
}

/// What decides whether one release of the sensor understands the records of
/// another: the text that says what they are.
pub const FORMAT: [&str; 2] = [
    include_str!("../../../sensor-common/src/event.rs"),
    include_str!("../../../sensor-common/src/kind.rs"),
];

/// When it happened, CLOCK_BOOTTIME, ns; `None` where the record is too short.
#[must_use]
pub fn time_of(bytes: &[u8]) -> Option<u64> {
    read::<Header>(bytes).ok().map(|(header, _)| header.time)
}

/// Interprets one record.
///
/// # Errors
///
/// Where the record is too short or of unknown kind.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, Rejected> {
    let (header, _) = read::<Header>(bytes)?;
    match header.kind {
        kind::FORK => Ok(Event::Fork(read(bytes)?.0)),
        kind::EXEC => {
            let (exec, tail) = read::<Exec>(bytes)?;
            let tail = exec_tail(&exec, tail).ok_or(Rejected::Short)?;
            Ok(Event::Exec(Box::new(exec), tail))
        }
        kind::EXIT => Ok(Event::Exit(Box::new(read(bytes)?.0))),
        kind::RENAME => Ok(Event::Rename(header)),
        kind::OUTPUT => {
            let (output, tail) = read::<Output>(bytes)?;
            let names = tail.get(..output.path_len as usize);
            let path = path_of(names.ok_or(Rejected::Short)?);
            Ok(Event::Output(Box::new(output), path))
        }
        kind::TAP => {
            let (tap, tail) = read::<Tap>(bytes)?;
            let text = tail.get(..tap.len as usize).ok_or(Rejected::Short)?;
            Ok(Event::Tap(tap, text))
        }
        kind::LATE => Ok(Event::Late(Box::new(read(bytes)?.0))),
        other => Err(Rejected::Kind(other)),
    }
}

fn exec_tail<'a>(exec: &Exec, tail: &'a [u8]) -> Option<ExecTail<'a>> {
    let names = tail.get(..exec.path_len as usize)?;
    let args = tail.get(names.len()..)?.get(..exec.args_len as usize)?;
    let whole = exec.flags & PATH_WHOLE != 0;
    let path = if whole { path_of(names) } else { None };
    Some(ExecTail { path, args })
}

/// A path from names that lead from the file up to the root, each with a NUL
/// and, where it was written in words, those that fill the last one. No name
/// is empty.
fn path_of(names: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(names.len());
    for name in names
        .rsplit(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
    {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    (!path.is_empty()).then_some(path)
}

/// A record of plain integers.
///
/// # Safety
///
/// `repr(C)`, and every bit pattern is a value.
unsafe trait Record: Copy {}
// SAFETY: structs of integers, see `sensor_common::layout`.
unsafe impl Record for Header {}
// SAFETY: as above.
unsafe impl Record for Fork {}
// SAFETY: as above.
unsafe impl Record for Exec {}
// SAFETY: as above.
unsafe impl Record for Exit {}
// SAFETY: as above.
unsafe impl Record for Late {}
// SAFETY: as above.
unsafe impl Record for Output {}
// SAFETY: as above.
unsafe impl Record for Tap {}

fn read<T: Record>(bytes: &[u8]) -> Result<(T, &[u8]), Rejected> {
    let (record, rest) = bytes
        .split_at_checked(size_of::<T>())
        .ok_or(Rejected::Short)?;
    // SAFETY: `record` has the size of `T`, of which every bit pattern is a
    // value; its alignment does not matter.
    let record = unsafe { ptr::read_unaligned(record.as_ptr().cast::<T>()) };
    Ok((record, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of<T: Record>(record: &T) -> &[u8] {
        // SAFETY: `T` has no padding.
        unsafe { std::slice::from_raw_parts(ptr::from_ref(record).cast(), size_of::<T>()) }
    }

    #[test]
    fn exec_path_is_turned_round() {
        let mut exec = Exec {
            flags: PATH_WHOLE,
            path_len: 13,
            args_len: 7,
            ..Exec::default()
        };
        exec.header.kind = kind::EXEC;
        let mut bytes = bytes_of(&exec).to_vec();
        bytes.extend_from_slice(b"true\0bin\0usr\0true\0-x");
        let Ok(Event::Exec(_, tail)) = decode(&bytes) else {
            panic!("no exec");
        };
        assert_eq!(tail.path.as_deref(), Some(&b"/usr/bin/true"[..]));
        assert_eq!(tail.args, b"true\0-x");
        bytes.pop();
        assert_eq!(decode(&bytes), Err(Rejected::Short));
    }

    #[test]
    fn names_in_words_make_the_same_path() {
        let path = Some(b"/usr/bin/seventeen-letters".to_vec());
        assert_eq!(
            path_of(b"seventeen-letters\0\0\0\0\0\0\0bin\0\0\0\0\0usr\0\0\0\0\0"),
            path
        );
        assert_eq!(path_of(b"seventeen-letters\0bin\0usr\0"), path);
        assert_eq!(path_of(b""), None);
        assert_eq!(path_of(b"\0\0"), None);
    }

    #[test]
    fn unknown_kinds_are_rejected() {
        let header = Header {
            kind: 77,
            ..Header::default()
        };
        assert_eq!(decode(bytes_of(&header)), Err(Rejected::Kind(77)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_rejected(kind in 0_u32..9, bytes: Vec<u8>) {
            let mut record = kind.to_ne_bytes().to_vec();
            record.extend(bytes);
            let _ = decode(&record);
        }
    }
}
