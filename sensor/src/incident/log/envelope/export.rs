//! `journalctl -o export`: records of `KEY=value` lines with a blank line
//! between them; a value with line ends comes with its length
//! (systemd.io/JOURNAL_EXPORT_FORMATS).

use std::borrow::Cow;

use super::{Opened, start};
use crate::incident::log::{
    level::Level,
    lines::{LINE_MAX, Line},
    time::When,
};

/// What is kept of a record.
#[derive(Debug, Default)]
pub struct Record<'a> {
    message: Option<Cow<'a, [u8]>>,
    time: Option<When>,
    level: Option<Level<'static>>,
    pid: Option<u32>,
    unit: Option<Cow<'a, [u8]>>,
    identifier: Option<Cow<'a, [u8]>>,
    comm: Option<Cow<'a, [u8]>>,
    kernel: bool,
}

impl<'a> Record<'a> {
    /// Takes in a field.
    pub fn set(&mut self, key: &[u8], value: Cow<'a, [u8]>) {
        match key {
            b"MESSAGE" => self.message = Some(value),
            b"__REALTIME_TIMESTAMP" => self.time = When::number(start(&value)),
            b"PRIORITY" => {
                let digit = value.first().map(|byte| byte.wrapping_sub(b'0'));
                self.level = digit.filter(|_| value.len() == 1).and_then(Level::syslog);
            }
            b"_PID" => self.pid = start(&value).parse().ok(),
            b"_SYSTEMD_UNIT" | b"_SYSTEMD_USER_UNIT" => self.unit = Some(value),
            b"SYSLOG_IDENTIFIER" => self.identifier = Some(value),
            b"_COMM" => self.comm = Some(value),
            b"_TRANSPORT" => self.kernel = *value == *b"kernel",
            _ => {}
        }
    }

    /// The record as an envelope around its message.
    #[must_use]
    pub fn opened(self) -> Opened<'a> {
        let who = self.identifier.or(self.comm).or_else(|| self.unit.clone());
        let pid = self.pid.map(|pid| pid.to_string().into_bytes());
        Opened {
            text: self.message.unwrap_or_default(),
            unfinished: false,
            source: [
                self.unit.or_else(|| who.clone()).unwrap_or_default(),
                pid.unwrap_or_default().into(),
            ],
            stream: None,
            time: self.time,
            level: self.level,
            logger: who.map(|who| Cow::Owned(String::from_utf8_lossy(&who).into_owned())),
            pid: self.pid,
            kernel: self.kernel,
        }
    }
}

/// Puts the records of an export together.
#[derive(Debug, Default)]
pub struct Export {
    state: State,
    record: Record<'static>,
    /// The record's lines as they were.
    raw: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    /// Between records.
    #[default]
    Outside,
    /// Within one.
    Inside,
    /// Within a value that comes with its length.
    Binary {
        key: Vec<u8>,
        /// Length and value, as far as they are there.
        bytes: Vec<u8>,
        /// Bytes that were cut off lines.
        cut: u64,
    },
}

/// What a line was to an export.
#[derive(Debug)]
pub enum Taken {
    /// No part of one.
    No,
    /// A part.
    Part,
    /// The end of a record.
    End,
}

impl Export {
    /// Whether a record is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Outside)
    }

    /// Takes in a line. Where it ends a record, [`Export::take`] has it.
    pub fn line(&mut self, line: Line<'_>) -> Taken {
        match &mut self.state {
            State::Outside if line.bytes.starts_with(b"__CURSOR=") => self.state = State::Inside,
            State::Outside => return Taken::No,
            State::Binary { key, bytes, cut } => {
                let room = LINE_MAX.saturating_sub(bytes.len());
                let kept = line
                    .bytes
                    .get(..room.min(line.bytes.len()))
                    .unwrap_or_default();
                bytes.extend_from_slice(kept);
                *cut += line.cut + (line.bytes.len() - kept.len()) as u64;
                let length = bytes
                    .first_chunk()
                    .map(|length| u64::from_le_bytes(*length));
                let there = (bytes.len() as u64).saturating_sub(8) + *cut;
                match length {
                    Some(length) if length <= there => {
                        let value = bytes.get(8..).unwrap_or_default().to_vec();
                        self.record.set(key, value.into());
                        self.state = State::Inside;
                    }
                    _ if bytes.len() < LINE_MAX => bytes.push(b'\n'),
                    // Past what is kept, only the length counts.
                    _ => *cut += 1,
                }
                self.keep(line.bytes);
                return Taken::Part;
            }
            State::Inside if line.bytes.is_empty() => {
                self.state = State::Outside;
                return Taken::End;
            }
            State::Inside => {}
        }
        self.keep(line.bytes);
        match memchr::memchr(b'=', line.bytes) {
            Some(at) => {
                let (key, value) = line.bytes.split_at(at);
                let value = value.get(1..).unwrap_or_default();
                self.record.set(key, Cow::Owned(value.to_vec()));
            }
            None => {
                self.state = State::Binary {
                    key: line.bytes.to_vec(),
                    bytes: Vec::new(),
                    cut: 0,
                };
            }
        }
        Taken::Part
    }

    /// The record that ended, with its lines.
    pub fn take(&mut self) -> (Opened<'static>, Vec<u8>) {
        self.state = State::Outside;
        let raw = std::mem::take(&mut self.raw);
        (std::mem::take(&mut self.record).opened(), raw)
    }

    fn keep(&mut self, line: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.raw.len());
        if !self.raw.is_empty() && room > 0 {
            self.raw.push(b'\n');
        }
        self.raw.extend_from_slice(
            line.get(..room.saturating_sub(1).min(line.len()))
                .unwrap_or_default(),
        );
    }
}
