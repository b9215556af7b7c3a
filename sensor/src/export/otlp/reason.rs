//! One short line for people out of nested errors and foreign text.

use std::{error::Error, io::ErrorKind, time::Duration};

use rustls::{AlertDescription, CertificateError};

use super::connect::ConnectError;

/// Longest foreign text in a reason, in characters.
const TEXT_LIMIT: usize = 200;

/// The reason in a chain of transport errors: the first cause that says
/// something definite.
pub(super) fn transport(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(reason) = definite(error) {
            return reason;
        }
        last = error;
        next = error.source();
    }
    clean(&last.to_string())
}

fn definite(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        return Some(error.to_string());
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return Some(io(error));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return Some(http2(error));
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(CLOSED.to_owned())
    } else if error.is_parse() {
        Some("the answer is not HTTP/1.1".to_owned())
    } else {
        None
    }
}

const CLOSED: &str = "connection closed before the answer was complete";

/// An error of a socket, or of TLS on it.
pub(super) fn io(error: &std::io::Error) -> String {
    if let Some(inner) = error.get_ref() {
        if let Some(error) = inner.downcast_ref::<rustls::Error>() {
            return tls(error);
        }
        if let Some(error) = inner.downcast_ref::<h2::Error>() {
            return http2(error);
        }
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset => "connection reset by the peer".to_owned(),
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => CLOSED.to_owned(),
        ErrorKind::HostUnreachable => "no route to the host".to_owned(),
        ErrorKind::NetworkUnreachable => "the network is unreachable".to_owned(),
        _ => clean(&error.to_string()),
    }
}

/// An error of the name lookup.
pub(super) fn lookup(error: &std::io::Error) -> String {
    let text = error.to_string();
    let cause = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    format!("cannot resolve the name: {}", clean(cause))
}

/// An error while TLS is set up, where a closed connection has a likely cause.
pub(super) fn tls_handshake(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
            "connection closed during the TLS handshake; does the port speak TLS?".to_owned()
        }
        _ => io(error),
    }
}

fn tls(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the server's certificate is not signed by a trusted CA; \
             set export.otlp.tls.ca to the CA that signed it"
                .to_owned()
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the server's certificate is for another host name".to_owned(),
        Tls::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the server's certificate has expired".to_owned(),
        Tls::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "the server's certificate is not valid yet; is the clock right?".to_owned(),
        Tls::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => "the server asks for a client certificate that it trusts; \
              set export.otlp.tls.certificate and export.otlp.tls.key"
            .to_owned(),
        Tls::AlertReceived(alert) => format!("the server ended TLS with the alert {alert:?}"),
        Tls::InvalidMessage(_) => "the answer is not TLS; is it a port for http://?".to_owned(),
        other => clean(&format!("TLS: {other}")),
    }
}

fn http2(error: &h2::Error) -> String {
    if let Some(error) = error.get_io() {
        return io(error);
    }
    match error.reason() {
        // Found by the library in what the peer sent.
        Some(_) if error.is_library() => {
            "the answer is not gRPC; is it a port for gRPC, with or without TLS?".to_owned()
        }
        Some(h2::Reason::NO_ERROR) => CLOSED.to_owned(),
        Some(reason) => format!("HTTP/2 error {}", name_of(reason)),
        None => clean(&error.to_string()),
    }
}

/// `REFUSED_STREAM` and so on (RFC 9113, section 7).
fn name_of(reason: h2::Reason) -> String {
    format!("{reason:?}")
}

/// Foreign text on one line, without control characters, not too long.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length == TEXT_LIMIT {
                line.push('…');
                return line;
            }
            line.push(c);
            length += 1;
        }
    }
    line
}

/// `10 s`, or `1500 ms` where seconds do not divide it.
pub(super) fn seconds(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_one_short_line() {
        assert_eq!(clean("a\nb\u{1b}[31m\t c"), "a b [31m c");
        let long = clean(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), TEXT_LIMIT + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn durations_are_written_with_their_unit() {
        assert_eq!(seconds(Duration::from_secs(10)), "10 s");
        assert_eq!(seconds(Duration::from_millis(1500)), "1500 ms");
    }
}
