//! What a span or a record says about a request, by the keys of today.

use std::collections::BTreeMap;

use super::keys::Keys;
use crate::process::event::Value;

/// Longest body of a request that is kept, bytes.
const MAX_BODY: usize = 16 << 10;

/// No conventions name the body; these are in use.
const BODY: &[&str] = &[
    "http.request.body",
    "http.request.body.content",
    "http.request.body.text",
    "http.request_body",
    "http.body",
];

/// An HTTP request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub method: Option<String>,
    pub path: Option<String>,
    pub route: Option<String>,
    pub status: Option<i64>,
    pub body: Option<String>,
}

impl Request {
    /// Today's keys first, then those from before they were stable (semantic
    /// conventions 1.20 and earlier).
    pub fn of(keys: Keys<'_>) -> Self {
        let url = || keys.text(&["url.full", "http.url"]).and_then(path_of);
        let path = keys.text(&["url.path", "http.target"]).or_else(url);
        let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let status = keys.int(&["http.response.status_code", "http.status_code"]);
        Self {
            method: owned(keys.text(&["http.request.method", "http.method"])),
            path: owned(path.map(without_query)),
            route: owned(keys.text(&["http.route"])),
            status,
            body: keys.any(BODY),
        }
    }

    /// Whether it is one at all.
    pub fn is_some(&self) -> bool {
        self.method.is_some() || self.status.is_some() || self.route.is_some()
    }

    /// `GET /path`, as far as it is known.
    pub fn name(&self) -> Option<String> {
        let path = self.path.as_deref().or(self.route.as_deref());
        match (self.method.as_deref(), path) {
            (Some(method), Some(path)) => Some(format!("{method} {path}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    }

    pub fn attributes(&self, with_body: bool) -> BTreeMap<&'static str, Value> {
        let body = self.body.as_ref().filter(|_| with_body).map(|body| {
            let mut end = body.len().min(MAX_BODY);
            while !body.is_char_boundary(end) {
                end -= 1;
            }
            body[..end].to_owned()
        });
        let texts = [
            ("http.request.method", self.method.clone()),
            ("url.path", self.path.clone()),
            ("http.route", self.route.clone()),
            ("http.request.body", body),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(key, text)| Some((key, Value::Text(text?))));
        let status = self.status.map(Value::Int);
        texts
            .chain(status.map(|status| ("http.response.status_code", status)))
            .collect()
    }
}

fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or(path)
}

/// The path of an absolute URL.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let rest = without_query(rest);
    Some(rest.find('/').map_or("/", |start| &rest[start..]))
}
