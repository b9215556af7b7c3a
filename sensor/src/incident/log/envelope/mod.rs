//! Envelopes: what containers, journald and syslog put around the lines of
//! programs. One file each behind one trait, in one list.

mod compose;
mod cri;
mod dmesg;
mod docker;
pub(super) mod export;
mod journald;
mod stamped;
mod syslog;

use std::{borrow::Cow, sync::LazyLock};

use super::{level::Level, time::When};

/// Names that `--format` takes.
pub const NAMES: [&str; 4] = ["cri", "docker", "journald", "syslog"];

/// What was around a text.
#[derive(Debug, Default)]
pub struct Opened<'a> {
    /// The text; several lines where the envelope carries such.
    pub text: Cow<'a, [u8]>,
    /// The line goes on with the next of the same source.
    pub unfinished: bool,
    /// What tells its source from others: stream, container, unit, pid. Two
    /// parts, so that nothing has to be put together.
    pub source: [Cow<'a, [u8]>; 2],
    /// stdout or stderr.
    pub stream: Option<&'static str>,
    /// When it was written.
    pub time: Option<When>,
    /// How bad, in the words of the envelope.
    pub level: Option<Level<'static>>,
    /// Who wrote it.
    pub logger: Option<Cow<'a, str>>,
    /// The writing process on this host.
    pub pid: Option<u32>,
    /// The kernel wrote it.
    pub kernel: bool,
}

/// Opens the envelopes of one kind.
pub trait Envelope: std::fmt::Debug + Send + Sync {
    /// As in `--format` and `sensor.log.format`; empty: it is not told of.
    fn name(&self) -> &'static str;

    /// Whether a line may begin with this byte: asked before all else.
    fn begins(&self, first: u8) -> bool;

    /// Opens a line. `None`: it is in no envelope of this kind.
    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>>;
}

/// All of them, in the order in which they are tried.
pub static ALL: [&dyn Envelope; 7] = [
    &docker::Docker,
    &cri::Cri,
    &journald::Journald,
    &syslog::Syslog,
    &dmesg::Dmesg,
    &compose::Compose,
    &stamped::Stamped,
];

/// Those that a line may be in which begins with this byte.
pub fn asked(first: u8) -> impl Iterator<Item = &'static dyn Envelope> {
    /// A bit for each of them, by first bytes.
    static ASKED: LazyLock<[u8; 256]> = LazyLock::new(|| {
        let mut first = 0..=u8::MAX;
        std::array::from_fn(|_| {
            let byte = first.next().unwrap_or_default();
            let all = ALL.iter().rev();
            all.fold(0, |bits, envelope| {
                bits << 1 | u8::from(envelope.begins(byte))
            })
        })
    });
    let mut bits = ASKED.get(usize::from(first)).copied().unwrap_or_default();
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        ALL.get(place).copied()
    })
}

/// The stream of a name.
fn stream(name: &[u8]) -> Option<&'static str> {
    match name {
        b"stdout" => Some("stdout"),
        b"stderr" => Some("stderr"),
        _ => None,
    }
}

/// The first word, and what comes after the blank behind it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// The part of a line where times and names are, as text.
fn start(line: &[u8]) -> &str {
    let start = line.get(..line.len().min(512)).unwrap_or_default();
    match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => start
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}
