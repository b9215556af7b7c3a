//! OTLP over HTTP/1.1: POST of protobuf.

use std::{
    io::Write,
    time::{Duration, SystemTime},
};

use ::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use bytes::Bytes;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::Message;

use super::{Compression, Otlp, Outcome, Signal, Target, answer, connect::Connector, reason};

const PROTOBUF: &str = "application/x-protobuf";

pub(super) struct HttpSender {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    signal: Signal,
    uri: Uri,
    compression: Compression,
    headers: HeaderMap,
}

impl HttpSender {
    pub(super) fn new(otlp: &Otlp, signal: Signal, target: &Target, connector: Connector) -> Self {
        let mut headers = otlp.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("sensor/", env!("CARGO_PKG_VERSION"))),
        );
        if otlp.compression == Compression::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Self {
            client: client(&connector),
            connector,
            signal,
            uri: target.uri.clone(),
            compression: otlp.compression,
            headers,
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.client = client(&self.connector);
    }

    pub(super) async fn send(&mut self, body: Bytes) -> Outcome {
        let body = match self.compression {
            Compression::None => body,
            Compression::Gzip => match gzip(&body) {
                Ok(body) => body,
                Err(error) => {
                    return Outcome::Refused {
                        reason: reason::io(&error),
                    };
                }
            },
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = ::http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                return Outcome::Retry {
                    after: None,
                    reason: self
                        .connector
                        .trouble()
                        .take()
                        .unwrap_or_else(|| reason::transport(&error)),
                };
            }
        };
        let (head, body) = response.into_parts();
        let body = read(body).await;
        if head.status.is_success() {
            match body {
                Ok(body) => success(self.signal, head.status, &head.headers, &body),
                Err(Unread::TooLong) => Outcome::Refused {
                    reason: format!(
                        "HTTP status {}, but the answer is too long",
                        code(head.status)
                    ),
                },
                Err(Unread::Broken(reason)) => Outcome::Retry {
                    after: None,
                    reason,
                },
            }
        } else {
            failure(head.status, &head.headers, &body.unwrap_or_default())
        }
    }
}

/// The pool keeps one connection; requests come one at a time.
fn client(connector: &Connector) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(1)
        .build(connector.clone())
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}

enum Unread {
    TooLong,
    Broken(String),
}

async fn read(body: Incoming) -> Result<Bytes, Unread> {
    match Limited::new(body, answer::MAX_ANSWER_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(error) => Err(Unread::Broken(reason::transport(&*error))),
    }
}

pub(super) fn success(
    signal: Signal,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Outcome {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or(PROTOBUF)
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if body.is_empty() {
        return answer::delivered(signal, body);
    }
    match content_type {
        PROTOBUF => match answer::delivered(signal, body) {
            Outcome::Refused { reason } => Outcome::Refused {
                reason: format!("HTTP status {}, but {reason}", code(status)),
            },
            outcome => outcome,
        },
        // A page for people, most likely of another server.
        "text/html" => Outcome::Refused {
            reason: format!(
                "HTTP status {}, but the answer is a web page; is the endpoint a collector?",
                code(status)
            ),
        },
        // Some collectors answer with JSON or plain text whatever they took.
        _ => answer::delivered(signal, b""),
    }
}

/// Which statuses are worth another try (OTLP specification, "Retryable
/// Response Codes").
pub(super) fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let mut reason = format!("HTTP status {}", code(status));
    let protobuf = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(PROTOBUF.as_bytes()));
    // The body of a failure is a google.rpc.Status.
    let message = protobuf
        .then(|| tonic_types::Status::decode(body).ok())
        .flatten()
        .map(|status| reason::clean(&status.message))
        .filter(|message| !message.is_empty());
    if let Some(message) = message {
        reason = format!("{reason}: {message}");
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Outcome::Retry {
            after: retry_after(headers, SystemTime::now()),
            reason,
        },
        _ => Outcome::Refused { reason },
    }
}

fn code(status: StatusCode) -> u16 {
    status.as_u16()
}

/// Seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn statuses_are_judged_as_the_specification_asks() {
        for (status, retried) in [
            (429, true),
            (502, true),
            (503, true),
            (504, true),
            (301, false),
            (400, false),
            (401, false),
            (404, false),
            (413, false),
            (500, false),
        ] {
            let outcome = failure(StatusCode::from_u16(status).unwrap(), &headers(&[]), b"");
            let reason = format!("HTTP status {status}");
            let expected = if retried {
                Outcome::Retry {
                    after: None,
                    reason,
                }
            } else {
                Outcome::Refused { reason }
            };
            assert_eq!(outcome, expected);
        }
    }

    #[test]
    fn a_failure_may_say_why() {
        let body = tonic_types::Status {
            code: 3,
            message: "no such\ntenant".to_owned(),
            details: Vec::new(),
        }
        .encode_to_vec();
        assert_eq!(
            failure(
                StatusCode::BAD_REQUEST,
                &headers(&[("content-type", PROTOBUF)]),
                &body
            ),
            Outcome::Refused {
                reason: "HTTP status 400: no such tenant".to_owned()
            }
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Fri, 02 Jan 2026 03:04:05 GMT").unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Fri, 02 Jan 2026 03:04:15 GMT", Some(10)),
            ("Fri, 02 Jan 2026 03:04:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(
                retry_after(&headers(&[("retry-after", value)]), now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn a_web_page_is_no_delivery() {
        for (content_type, body, delivered) in [
            ("text/html; charset=utf-8", "<html>", false),
            (PROTOBUF, "<html>", false),
            (PROTOBUF, "", true),
            ("text/html", "", true),
            ("application/json", "{}", true),
        ] {
            let outcome = success(
                Signal::Metrics,
                StatusCode::OK,
                &headers(&[("content-type", content_type)]),
                body.as_bytes(),
            );
            assert_eq!(
                matches!(outcome, Outcome::Delivered { .. }),
                delivered,
                "{content_type} {body}: {outcome:?}"
            );
        }
    }
}
