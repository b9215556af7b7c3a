//! From the body of a request to what it says, within bounds.

use std::{io::Read, time::Duration};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use prost::Message;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{
    cost::{self, Shaped, Unfit},
    refusal::Refusal,
};

/// Most bytes of a body, as it comes and unpacked: text that repeats itself
/// packs well.
pub(super) const MAX_BODY: usize = 4 << 20;
/// How long a body may take to come. Who sends it holds a turn meanwhile.
const BODY: Duration = Duration::from_secs(2);

/// Reads all of a body.
pub(super) async fn read<B>(body: B) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = timeout(BODY, Limited::new(body, MAX_BODY).collect()).await;
    match body.map_err(|_| Refusal::Late)? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::Cut),
    }
}

/// Unpacks gzip.
pub(super) fn unpack(body: &[u8]) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let mut reader = MultiGzDecoder::new(body).take(limit + 1);
    reader
        .read_to_end(&mut unpacked)
        .map_err(|_| Refusal::Cut)?;
    match unpacked.len() > MAX_BODY {
        true => Err(Refusal::TooLarge),
        false => Ok(unpacked.into()),
    }
}

/// Decodes protobuf.
pub(super) fn protobuf<T: Message + Default + Shaped>(body: &[u8]) -> Result<T, Refusal> {
    cost::of_protobuf(body, T::SHAPE).map_err(refused)?;
    T::decode(body).map_err(|error| Refusal::Malformed(error.to_string()))
}

/// Decodes JSON.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    cost::of_json(body).map_err(refused)?;
    serde_json::from_slice(body).map_err(|error| Refusal::Malformed(error.to_string()))
}

fn refused(unfit: Unfit) -> Refusal {
    match unfit {
        Unfit::TooMuch => Refusal::TooMuch,
        unfit => Refusal::Malformed(unfit.to_string()),
    }
}
