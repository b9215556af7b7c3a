//! Answers of a collector without one: what fuzzing looks at, by the way that
//! real ones go.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::Status;

use super::{Outcome, Signal, answer, checked, grpc, http as over_http};

/// Judges an answer over HTTP/1.1; `None` where it is none.
#[must_use]
pub fn http(signal: Signal, status: u16, list: &[(&str, &[u8])], body: &[u8]) -> Option<Outcome> {
    let status = StatusCode::from_u16(status).ok()?;
    let headers = headers(list)?;
    Some(match status.is_success() {
        true => over_http::success(signal, status, &headers, body),
        false => over_http::failure(status, &headers, body),
    })
}

/// Judges an answer over gRPC, by its trailers and message; `None` where it is
/// none.
#[must_use]
pub fn grpc(signal: Signal, trailers: &[(&str, &[u8])], message: &[u8]) -> Option<Outcome> {
    let mut trailers = headers(trailers)?;
    checked::check(&mut trailers);
    Some(match Status::from_header_map(&trailers) {
        Some(status) if status.code() != tonic::Code::Ok => grpc::judge(&status),
        _ => answer::delivered(signal, message),
    })
}

fn headers(list: &[(&str, &[u8])]) -> Option<HeaderMap> {
    let headers = list.iter().map(|&(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    headers.collect()
}
