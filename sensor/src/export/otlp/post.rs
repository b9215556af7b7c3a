//! One POST over HTTP/1.1, and its answer.

use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderValue, Request, Uri, header, response::Parts};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::{
    ConfigError, TlsConfig, answer,
    connect::Connector,
    reason,
    target::{Target, target},
    tls,
};

/// Posts to one address, over a connection that it opens when needed and
/// keeps.
pub(crate) struct Poster {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    uri: Uri,
    headers: HeaderMap,
}

/// Why the body of an answer is not there.
pub(crate) enum Unread {
    /// It is longer than answers are.
    TooLong,
    /// It ended within.
    Broken(String),
}

impl Poster {
    pub(super) fn new(connector: Connector, uri: Uri, mut headers: HeaderMap) -> Self {
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("sensor/", env!("CARGO_PKG_VERSION"))),
        );
        Self {
            client: client(&connector),
            connector,
            uri,
            headers,
        }
    }

    /// For an address of its own; also says which, as `host:port`.
    ///
    /// # Errors
    ///
    /// Every problem of the address and the files of TLS.
    pub(crate) fn to(
        url: &str,
        headers: HeaderMap,
        files: Option<&TlsConfig>,
    ) -> Result<(Self, String), Vec<ConfigError>> {
        let target: Target = target(url, None).map_err(|problem| vec![problem])?;
        let tls = match target.secure {
            true => {
                let default = TlsConfig::default();
                let files = files.unwrap_or(&default);
                Some(tls::of_transport(files, Some(b"http/1.1"))?)
            }
            false => None,
        };
        let shown = target.to_string();
        let uri = target.uri.clone();
        Ok((Self::new(Connector::with(target, tls), uri, headers), shown))
    }

    /// Drops a connection that cannot be trusted any more.
    pub(crate) fn disconnect(&mut self) {
        self.client = client(&self.connector);
    }

    /// Posts a body and waits for the answer.
    ///
    /// # Errors
    ///
    /// Why there is none, in one short line.
    pub(crate) async fn post(&self, body: Bytes) -> Result<(Parts, Result<Bytes, Unread>), String> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = ::http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        match self.client.request(request).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                Ok((head, read(body).await))
            }
            Err(error) => {
                let trouble = self.connector.trouble().take();
                Err(trouble.unwrap_or_else(|| reason::transport(&error)))
            }
        }
    }
}

/// The pool keeps one connection; requests come one at a time.
fn client(connector: &Connector) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(1)
        .build(connector.clone())
}

async fn read(body: Incoming) -> Result<Bytes, Unread> {
    match Limited::new(body, answer::MAX_ANSWER_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooLong),
        Err(error) => Err(Unread::Broken(reason::transport(&*error))),
    }
}

/// Seconds or a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
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
}
