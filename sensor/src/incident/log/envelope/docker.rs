//! Docker's json-file: `{"log":"text\n","stream":"stderr","time":"2023-…Z"}`.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Envelope, Opened, stream};
use crate::incident::log::time::When;

/// The envelope.
#[derive(Debug)]
pub struct Docker;

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
}

impl Envelope for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn begins(&self, first: u8) -> bool {
        first == b'{'
    }

    fn open<'a>(&self, line: &'a [u8]) -> Option<Opened<'a>> {
        let body = line.get(1..)?.trim_ascii_start();
        if !body.starts_with(b"\"log\"")
            && !body.starts_with(b"\"stream\"")
            && !body.starts_with(b"\"time\"")
        {
            return None;
        }
        let record: Record<'a> = serde_json::from_slice(line).ok()?;
        let time = record.time?;
        let stream = record.stream.as_deref().map(|name| stream(name.as_bytes()));
        let stream = stream?;
        let unfinished = !record.log.ends_with('\n');
        let text = match record.log {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches('\n').as_bytes()),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end_matches('\n').len());
                Cow::Owned(text.into_bytes())
            }
        };
        Some(Opened {
            text,
            unfinished,
            source: [stream.unwrap_or_default().as_bytes().into(), b"".into()],
            stream,
            time: When::read(&time),
            ..Opened::default()
        })
    }
}
