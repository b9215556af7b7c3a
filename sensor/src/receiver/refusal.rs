//! Why a request is refused.

use http::StatusCode;
use tonic::{Code, Status};

use super::decode::MAX_BODY;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no such path; there are /v1/traces, /v1/logs and /v1/metrics")]
    Path,
    #[error("only POST")]
    Method,
    #[error("the content type is neither application/x-protobuf nor application/json")]
    Type,
    #[error("the content encoding is not gzip")]
    Encoding,
    #[error("the body, or what it unpacks to, is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("too much is in the body; send smaller batches")]
    TooMuch,
    #[error("the body is cut off, or no gzip")]
    Cut,
    #[error("the body is no OTLP request: {0}")]
    Malformed(String),
    #[error("the body takes too long")]
    Late,
    #[error("too many others send at once; try again")]
    Busy,
    #[error("the sensor ends")]
    Ending,
}

impl Refusal {
    /// For counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::Type => "type",
            Self::Encoding => "encoding",
            Self::TooLarge | Self::TooMuch => "size",
            Self::Cut | Self::Malformed(_) => "malformed",
            Self::Late => "late",
            Self::Busy => "busy",
            Self::Ending => "ending",
        }
    }

    /// Over HTTP, and in the `google.rpc.Status`.
    pub fn codes(&self) -> (StatusCode, Code) {
        match self {
            Self::Path => (StatusCode::NOT_FOUND, Code::Unimplemented),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Self::Type | Self::Encoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument)
            }
            // `ResourceExhausted` might be tried again.
            Self::TooLarge | Self::TooMuch => {
                (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument)
            }
            Self::Cut | Self::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
            // What OTLP tries again.
            Self::Late | Self::Busy | Self::Ending => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.codes().1, refusal.to_string())
    }
}
