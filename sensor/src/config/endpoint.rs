//! Addresses of collectors.

use std::net::Ipv6Addr;

use super::export::Protocol;
use super::item::shown;

/// How an address that leaves something out is completed.
pub(super) struct Address {
    /// Use TLS.
    pub(super) tls: bool,
    /// Use (or not use) TLS even where the address says otherwise.
    pub(super) decides: bool,
    /// Names the port.
    pub(super) protocol: Protocol,
}

impl Address {
    /// A URL with a scheme. Without one it may also lack the port.
    pub(super) fn complete(&self, text: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match text.split_once("://") {
            Some((_, rest)) if self.decides => format!("{scheme}://{rest}"),
            Some(_) => text.to_owned(),
            None if split_port(text).is_some_and(|(_, port)| port.is_some()) => {
                format!("{scheme}://{text}")
            }
            None => {
                let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
                format!(
                    "{scheme}://{authority}:{}{path}",
                    self.protocol.default_port()
                )
            }
        }
    }
}

/// Checks `http://host:port/path`; scheme, port and path may be left out.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let wrong = |reason: &str| {
        let shown = shown(text);
        Err(format!(
            "`{shown}` is not an endpoint: {reason}; write it as http://localhost:4317"
        ))
    };
    let rest = match text.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return wrong("only http and https are known"),
        None => text,
    };
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong("it contains blanks");
    }
    if rest
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|authority| authority.contains('@'))
    {
        // Not repeated: it holds a password.
        return Err("an endpoint with a user in it; send credentials as a header".to_owned());
    }
    match split_port(rest) {
        None | Some(("", _)) => wrong("it has no host"),
        Some((host, _)) if !is_host(host) => wrong("the host is not a name or address"),
        Some((_, Some(digits))) if port(digits).is_err() => {
            wrong("the port is not a number from 1 to 65535")
        }
        Some(_) => Ok(()),
    }
}

/// A host as it stands in a URL.
pub(crate) fn host(text: &str) -> Result<String, String> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{text}]"));
    }
    if is_host(text) {
        return Ok(text.to_owned());
    }
    let shown = shown(text);
    Err(format!(
        "`{shown}` is not a host; write a name or an address alone, the port goes beside it"
    ))
}

/// A port, 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!(
            "`{}` is not a port, a number from 1 to 65535",
            shown(text)
        )),
    }
}

/// Host and port of `host:port/path`, an IPv6 address with its brackets.
fn split_port(rest: &str) -> Option<(&str, Option<&str>)> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let (address, tail) = authority.split_at(bracket);
    match tail.split_once(':') {
        Some((name, port)) if bracket == 0 => Some((name, Some(port))),
        Some(("", port)) => Some((address, Some(port))),
        Some(_) => None,
        None if bracket == 0 => Some((tail, None)),
        None => tail.is_empty().then_some((address, None)),
    }
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let ordinary = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && text.chars().all(ordinary)
}
