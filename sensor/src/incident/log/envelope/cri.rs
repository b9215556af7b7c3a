//! CRI: `2023-05-20T14:30:22.123456789Z stderr F text`, in
//! /var/log/pods (kubernetes/design-proposals, kubelet-cri-logging).

use super::{Envelope, Opened, start, stream, word};
use crate::incident::log::time::{Civil, When};

/// The envelope.
#[derive(Debug)]
pub struct Cri;

impl Envelope for Cri {
    fn name(&self) -> &'static str {
        "cri"
    }

    fn begins(&self, first: u8) -> bool {
        first.is_ascii_digit()
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        let (time, rest) = word(line)?;
        let (name, rest) = word(rest)?;
        let stream = stream(name)?;
        let (tags, text) = word(rest).unwrap_or((rest, b""));
        let tag = tags.split(|byte| *byte == b':').next()?;
        let unfinished = match tag {
            b"F" => false,
            b"P" => true,
            _ => return None,
        };
        let (civil, after) = Civil::scan(start(time))?;
        if !after.is_empty() {
            return None;
        }
        Some(Opened {
            text: text.into(),
            unfinished,
            source: [name.into(), b"".into()],
            stream: Some(stream),
            time: Some(When::Civil(civil)),
            ..Opened::default()
        })
    }
}
