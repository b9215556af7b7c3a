//! `journalctl -o json`: one record a line, MESSAGE as text or as bytes.

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem::Finder;

use super::{Envelope, Opened, export::Record};
use crate::incident::log::format::json::{self, Node};

/// A key that every record has.
static SIGN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"__REALTIME_TIMESTAMP\""));

/// The envelope.
#[derive(Debug)]
pub struct Journald;

impl Envelope for Journald {
    fn name(&self) -> &'static str {
        "journald"
    }

    fn begins(&self, first: u8) -> bool {
        first == b'{'
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        SIGN.find(line)?;
        if json::is_deep(line) {
            return None;
        }
        let Ok(Node::Map(entries)) = serde_json::from_slice(line) else {
            return None;
        };
        let mut record = Record::default();
        for (key, value) in entries {
            if let Some(bytes) = bytes(value) {
                record.set(key.as_bytes(), bytes);
            }
        }
        Some(record.opened())
    }
}

/// A text, an array of bytes, or the first of several values.
fn bytes(value: Node<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Node::Text(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.as_bytes())),
        Node::Text(Cow::Owned(text)) => Some(Cow::Owned(text.into_bytes())),
        Node::Int(number) => Some(Cow::Owned(number.to_string().into_bytes())),
        Node::List(list) => match list.first() {
            Some(Node::Int(_)) => {
                let bytes = list.iter().map(|byte| match byte {
                    Node::Int(byte) => u8::try_from(*byte).ok(),
                    _ => None,
                });
                bytes.collect::<Option<Vec<u8>>>().map(Cow::Owned)
            }
            _ => bytes(list.into_iter().next()?),
        },
        _ => None,
    }
}
