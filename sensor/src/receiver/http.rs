//! OTLP over HTTP: protobuf and JSON, plain or gzip (OTLP specification 1.x,
//! "OTLP/HTTP").

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::Body;
use prost::Message;
use tonic_types::pb;

use super::{
    decode::{self, Form},
    intake::{Export, Signal},
    refusal::Refusal,
};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Answers one request.
pub(super) async fn answer<B>(export: Arc<Export>, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let in_json = in_json(request.headers());
    let is_json = in_json == Some(true);
    let (status, body) = match receive(&export, request, in_json).await {
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

async fn receive<B>(
    export: &Export,
    request: Request<B>,
    in_json: Option<bool>,
) -> Result<(), Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let signal = match head.uri.path() {
        "/v1/traces" => Signal::Traces,
        "/v1/logs" => Signal::Logs,
        "/v1/metrics" => Signal::Metrics,
        _ => return Err(Refusal::Path),
    };
    if head.method != Method::POST {
        return Err(Refusal::Method);
    }
    let is_json = in_json.ok_or(Refusal::Type)?;
    let is_packed = match head.headers.get(CONTENT_ENCODING).map(|it| it.as_bytes()) {
        None | Some(b"identity" | b"") => false,
        Some(encoding) if encoding.eq_ignore_ascii_case(b"gzip") => true,
        Some(_) => return Err(Refusal::Encoding),
    };
    let body = decode::read(body, &export.intake.bodies).await?;
    // Who sends slowly waits without a turn.
    let _turn = export.intake.turn().await?;
    let form = Form { is_json, is_packed };
    export.take(signal, body, form).await
}

/// Whether the body is in JSON, else in protobuf; `None` where it is in neither.
fn in_json(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value).trim();
    let is_json = essence.eq_ignore_ascii_case(JSON);
    (is_json || essence.eq_ignore_ascii_case(PROTOBUF)).then_some(is_json)
}
