//! From the body of a request to what it says, within bounds.

use std::{borrow::Cow, fmt::Display, io::Read, pin::pin, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body;
use prost::Message;
use serde::de::DeserializeOwned;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{
    cost::{self, Shaped, Unfit},
    refusal::Refusal,
};

/// Most bytes of a body, as it comes and unpacked: text that repeats itself
/// packs well.
pub(super) const MAX_BODY: usize = 4 << 20;
/// Most bytes of all bodies that are on their way, or wait for their turn.
pub(super) const MAX_BODIES: usize = 16 << 20;
/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(5);

/// Longest reason of a refusal, bytes.
const MAX_REASON: usize = 200;

/// A body, and the room that it takes.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub bytes: Bytes,
    pub room: Option<SemaphorePermit<'a>>,
}

/// Reads all of a body, while there is room for it.
pub(super) async fn read<B>(body: B, room: &Semaphore) -> Result<Body<'_>, Refusal>
where
    B: body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let all = timeout(BODY, read_all(body, room)).await;
    all.unwrap_or(Err(Refusal::Late))
}

async fn read_all<B>(body: B, room: &Semaphore) -> Result<Body<'_>, Refusal>
where
    B: body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = pin!(Limited::new(body, MAX_BODY));
    let mut taken: Option<SemaphorePermit<'_>> = None;
    // Pieces are copied: a small one may hold on to a large buffer.
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Refusal::TooLarge,
            false => Refusal::Cut,
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = u32::try_from(data.remaining()).map_err(|_| Refusal::TooLarge)?;
        let more = room.try_acquire_many(length).map_err(|_| Refusal::Busy)?;
        match &mut taken {
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        bytes.put(data);
    }
    Ok(Body {
        bytes: bytes.freeze(),
        room: taken,
    })
}

/// How a body is written.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// In JSON; else in protobuf.
    pub is_json: bool,
    /// By gzip.
    pub is_packed: bool,
}

impl Form {
    /// What a body says.
    pub(super) fn decode<T>(self, body: &[u8]) -> Result<T, Refusal>
    where
        T: Message + Default + Shaped + DeserializeOwned,
    {
        let body = match self.is_packed {
            true => Cow::Owned(unpack(body)?),
            false => Cow::Borrowed(body),
        };
        match self.is_json {
            true => json(&body),
            false => protobuf(&body),
        }
    }
}

impl Body<'_> {
    /// What it says. Its room is free then.
    pub fn decode<T>(self, form: Form) -> Result<T, Refusal>
    where
        T: Message + Default + Shaped + DeserializeOwned,
    {
        form.decode(&self.bytes)
    }
}

/// Unpacks gzip.
fn unpack(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let mut reader = MultiGzDecoder::new(body).take(limit + 1);
    reader
        .read_to_end(&mut unpacked)
        .map_err(|_| Refusal::Cut)?;
    match unpacked.len() > MAX_BODY {
        true => Err(Refusal::TooLarge),
        false => Ok(unpacked),
    }
}

/// Decodes protobuf.
fn protobuf<T: Message + Default + Shaped>(body: &[u8]) -> Result<T, Refusal> {
    cost::of_protobuf(body, T::SHAPE).map_err(refused)?;
    T::decode(body).map_err(malformed)
}

/// Decodes JSON.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    cost::of_json(body).map_err(refused)?;
    serde_json::from_slice(body).map_err(malformed)
}

fn refused(unfit: Unfit) -> Refusal {
    match unfit {
        Unfit::TooMuch => Refusal::TooMuch,
        unfit => malformed(unfit),
    }
}

/// The reason ends where it says most: the outer messages come first.
fn malformed(reason: impl Display) -> Refusal {
    let mut reason = reason.to_string();
    if reason.len() > MAX_REASON {
        let end = reason.ceil_char_boundary(reason.len() - MAX_REASON);
        reason.replace_range(..end, "…");
    }
    Refusal::Malformed(reason)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

    use super::*;

    fn refused(form: Form, body: &[u8]) -> String {
        let refused = form.decode::<ExportLogsServiceRequest>(body).unwrap_err();
        assert!(matches!(refused, Refusal::Malformed(_)), "{refused:?}");
        refused.to_string()
    }

    #[test]
    fn a_long_reason_keeps_its_end() {
        // A record whose body is a list in a list, and so on.
        let mut body = Vec::new();
        for field in [1, 5].repeat(60).into_iter().chain([5, 2, 2, 1]) {
            let mut outer = Vec::new();
            prost::encoding::bytes::encode(field, &body, &mut outer);
            body = outer;
        }
        let form = Form {
            is_json: false,
            is_packed: false,
        };
        let said = refused(form, &body);
        assert!(said.ends_with("recursion limit reached"), "{said}");
        assert!(said.len() < MAX_REASON + 50, "{said}");
        let form = Form {
            is_json: true,
            is_packed: false,
        };
        let said = refused(form, format!(r#"{{"{}": "#, "ä".repeat(1_000)).as_bytes());
        assert!(said.len() < MAX_REASON + 50, "{said}");
    }
}
