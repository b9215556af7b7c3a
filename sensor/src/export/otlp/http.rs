//! OTLP over HTTP/1.1: POST of protobuf.

use std::{io::Write, time::SystemTime};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use flate2::write::GzEncoder;
use prost::Message;

use super::{
    Compression, Otlp, Outcome, Signal, Target, answer,
    connect::Connector,
    post::{Poster, Unread, retry_after},
    reason,
};

const PROTOBUF: &str = "application/x-protobuf";

pub(super) struct HttpSender {
    poster: Poster,
    signal: Signal,
    compression: Compression,
}

impl HttpSender {
    pub(super) fn new(otlp: &Otlp, signal: Signal, target: &Target, connector: Connector) -> Self {
        let mut headers = otlp.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        if otlp.compression == Compression::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Self {
            poster: Poster::new(connector, target.uri.clone(), headers),
            signal,
            compression: otlp.compression,
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.poster.disconnect();
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
        let (head, body) = match self.poster.post(body).await {
            Ok(answer) => answer,
            Err(reason) => {
                return Outcome::Retry {
                    after: None,
                    reason,
                };
            }
        };
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

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}

fn success(signal: Signal, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
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
fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
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
