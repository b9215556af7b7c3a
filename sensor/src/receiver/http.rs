//! OTLP over HTTP: protobuf and JSON, plain or gzip (OTLP specification 1.x,
//! "OTLP/HTTP").

use std::{io::Read, sync::Arc};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use serde::de::DeserializeOwned;
use tonic::Code;
use tonic_types::pb;

use super::grpc::Export;

/// Most bytes of a body as it comes.
pub(super) const MAX_BODY: usize = 4 << 20;
/// Most bytes of it unpacked: text that repeats itself packs well.
const MAX_UNPACKED: usize = 16 << 20;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no such path; there are /v1/traces, /v1/logs and /v1/metrics")]
    Path,
    #[error("only POST")]
    Method,
    #[error("the content type is neither application/x-protobuf nor application/json")]
    Type,
    #[error("the content encoding is not gzip")]
    Encoding,
    #[error("the body is larger than {MAX_BODY} bytes, or {MAX_UNPACKED} unpacked")]
    TooLarge,
    #[error("the body is cut off, or no gzip")]
    Cut,
    #[error("the body is no OTLP request: {0}")]
    Malformed(String),
    #[error("the sensor ends")]
    Ending,
}

impl Refusal {
    /// For counting.
    fn reason(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::Type => "type",
            Self::Encoding => "encoding",
            Self::TooLarge => "size",
            Self::Cut | Self::Malformed(_) => "malformed",
            Self::Ending => "ending",
        }
    }

    fn codes(&self) -> (StatusCode, Code) {
        match self {
            Self::Path => (StatusCode::NOT_FOUND, Code::Unimplemented),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Self::Type | Self::Encoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument)
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument),
            Self::Cut | Self::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::Ending => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        }
    }
}

/// Answers one request.
pub(super) async fn answer(
    export: Arc<Export>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let is_json = content_type(request.headers()) == Some(JSON);
    let (status, body) = match receive(&export, request).await {
        // Nothing was rejected: an empty message, in either encoding.
        Ok(()) if is_json => (StatusCode::OK, Bytes::from_static(b"{}")),
        Ok(()) => (StatusCode::OK, Bytes::new()),
        Err(refusal) => {
            export.intake.counts.refused(refusal.reason());
            refused(&refusal, is_json)
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = if is_json { JSON } else { PROTOBUF };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, http::HeaderValue::from_static("POST"));
    }
    response
}

/// A failure is a `google.rpc.Status`.
fn refused(refusal: &Refusal, is_json: bool) -> (StatusCode, Bytes) {
    let (status, code) = refusal.codes();
    let message = refusal.to_string();
    let body = match is_json {
        true => {
            let body = serde_json::json!({"code": code as i32, "message": message});
            body.to_string().into()
        }
        false => pb::Status {
            code: code as i32,
            message,
            details: Vec::new(),
        }
        .encode_to_vec()
        .into(),
    };
    (status, body)
}

async fn receive(export: &Export, request: Request<Incoming>) -> Result<(), Refusal> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if !["/v1/traces", "/v1/logs", "/v1/metrics"].contains(&path) {
        return Err(Refusal::Path);
    }
    if head.method != Method::POST {
        return Err(Refusal::Method);
    }
    let is_json = match content_type(&head.headers) {
        Some(PROTOBUF) => false,
        Some(JSON) => true,
        _ => return Err(Refusal::Type),
    };
    let is_packed = match head.headers.get(CONTENT_ENCODING).map(|it| it.as_bytes()) {
        None | Some(b"identity" | b"") => false,
        Some(encoding) if encoding.eq_ignore_ascii_case(b"gzip") => true,
        Some(_) => return Err(Refusal::Encoding),
    };
    let turn = export.intake.turns.acquire().await;
    let _turn = turn.map_err(|_| Refusal::Ending)?;
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => Refusal::TooLarge,
        false => Refusal::Cut,
    })?;
    let body = body.to_bytes();
    let body = if is_packed { unpack(&body)? } else { body };
    match path {
        "/v1/traces" => {
            let request: ExportTraceServiceRequest = decode(&body, is_json)?;
            drop(body);
            export.intake.spans(request, &export.peer).await;
        }
        "/v1/logs" => {
            let request: ExportLogsServiceRequest = decode(&body, is_json)?;
            drop(body);
            export.intake.logs(request, &export.peer).await;
        }
        // Metrics are taken and thrown away, so that an application that sends
        // them by default does not complain.
        _ => export.intake.counts.accepted("metrics"),
    }
    Ok(())
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value).trim();
    [PROTOBUF, JSON]
        .into_iter()
        .find(|one| essence.eq_ignore_ascii_case(one))
}

fn unpack(body: &[u8]) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_UNPACKED).unwrap_or(u64::MAX);
    let mut reader = MultiGzDecoder::new(body).take(limit + 1);
    reader
        .read_to_end(&mut unpacked)
        .map_err(|_| Refusal::Cut)?;
    match unpacked.len() > MAX_UNPACKED {
        true => Err(Refusal::TooLarge),
        false => Ok(unpacked.into()),
    }
}

fn decode<T: Message + Default + DeserializeOwned>(
    body: &[u8],
    is_json: bool,
) -> Result<T, Refusal> {
    let malformed = |error: String| Refusal::Malformed(error);
    match is_json {
        true => serde_json::from_slice(body).map_err(|error| malformed(error.to_string())),
        false => T::decode(body).map_err(|error| malformed(error.to_string())),
    }
}
