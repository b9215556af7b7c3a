//! What a span or a record says about a request, by the keys of today.

use std::collections::BTreeMap;

use super::keys::Keys;
use crate::process::event::Value;

/// Longest body of a request that is kept, bytes.
const MAX_BODY: usize = 16 << 10;

/// Longest method, path or route, bytes.
const MAX_TEXT: usize = 4 << 10;

/// No conventions name the body; these are in use.
const BODY: &[&str] = &[
    "http.request.body",
    "http.request.body.content",
    "http.request.body.text",
    "http.request_body",
    "http.body",
];

/// An HTTP request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub method: Option<&'a str>,
    pub path: Option<&'a str>,
    pub route: Option<&'a str>,
    pub status: Option<i64>,
    keys: Keys<'a>,
}

impl<'a> Request<'a> {
    /// Today's keys first, then those from before they were stable (semantic
    /// conventions 1.20 and earlier).
    pub fn of(keys: Keys<'a>) -> Self {
        let url = || keys.text(&["url.full", "http.url"]).and_then(path_of);
        let path = keys.text(&["url.path", "http.target"]).or_else(url);
        let given = |text: Option<&'a str>| {
            let text = text.filter(|text| !text.is_empty());
            text.map(|text| cut(text, MAX_TEXT))
        };
        let status = keys.int(&["http.response.status_code", "http.status_code"]);
        Self {
            method: given(keys.text(&["http.request.method", "http.method"])),
            path: given(path.map(without_query)),
            route: given(keys.text(&["http.route"])),
            status,
            keys,
        }
    }

    /// Whether it is one at all.
    pub fn is_some(&self) -> bool {
        self.method.is_some() || self.status.is_some() || self.route.is_some()
    }

    /// `GET /path`, as far as it is known.
    pub fn name(&self) -> Option<String> {
        match (self.method, self.path.or(self.route)) {
            (Some(method), Some(path)) => Some(format!("{method} {path}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    }

    pub fn attributes(&self, with_body: bool) -> BTreeMap<&'static str, Value> {
        let body = with_body.then(|| self.keys.any(BODY)).flatten();
        let texts = [
            ("http.request.method", self.method),
            ("url.path", self.path),
            ("http.route", self.route),
            (
                "http.request.body",
                body.as_deref().map(|body| cut(body, MAX_BODY)),
            ),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(key, text)| Some((key, Value::Text(text?.to_owned()))));
        let status = self.status.map(Value::Int);
        texts
            .chain(status.map(|status| ("http.response.status_code", status)))
            .collect()
    }
}

/// The beginning of a text, at most so many bytes of it.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
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
