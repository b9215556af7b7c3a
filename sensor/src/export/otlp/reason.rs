//! One short line for people out of nested errors and foreign text.

use std::{error::Error, io::ErrorKind, iter, time::Duration};

use rustls::{AlertDescription, CertificateError};

use super::connect::ConnectError;

/// Longest foreign text in a reason, in characters.
const TEXT_LIMIT: usize = 200;

/// The reason in a chain of transport errors: the first cause that says
/// something definite, else what HTTP makes of it, else the last cause.
pub(super) fn transport(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .find_map(definite)
        .or_else(|| chain(error).find_map(http))
        .or_else(|| {
            let errors = chain(error).find_map(|error| error.downcast_ref());
            errors
                .filter(|error| closed(error))
                .map(|_| CLOSED.to_owned())
        })
        .unwrap_or_else(|| clean(&chain(error).last().unwrap_or(error).to_string()))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

fn definite(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        Some(error.to_string())
    } else if let Some(error) = error.downcast_ref::<std::io::Error>() {
        Some(io(error))
    } else if let Some(error) = error.downcast_ref::<rustls::Error>() {
        Some(tls(error))
    } else {
        error.downcast_ref::<h2::Error>().map(http2)
    }
}

/// Only what is said about HTTP/1.1: under HTTP/2 there is a cause below.
fn http(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<hyper::Error>()?;
    let nonsense = !error.is_user() && !closed(error);
    nonsense.then(|| "the answer is not HTTP/1.1; is it a port for OTLP over HTTP?".to_owned())
}

fn closed(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_canceled() || error.is_closed()
}

const CLOSED: &str = "connection closed before the answer was complete";

const NOT_GRPC: &str = "the answer is not gRPC; is it a port for gRPC, with or without TLS?";
pub(super) const CLOSED_AFTER_HANDSHAKE: &str = "connection closed right after the TLS handshake; \
     does the server ask for a client certificate (export.otlp.tls.certificate)?";

/// An error of a socket, or of TLS on it.
pub(super) fn io(error: &std::io::Error) -> String {
    if let Some(reason) = tls_in(error) {
        return reason;
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset => "connection reset by the peer".to_owned(),
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => CLOSED.to_owned(),
        ErrorKind::HostUnreachable => "no route to the host".to_owned(),
        ErrorKind::NetworkUnreachable => "the network is unreachable".to_owned(),
        // From the HTTP/2 library, not a socket: the stream ends within what
        // is no frame.
        ErrorKind::Other => NOT_GRPC.to_owned(),
        _ => clean(&error.to_string()),
    }
}

/// What TLS says in an error of a socket under it.
pub(super) fn tls_in(error: &std::io::Error) -> Option<String> {
    error.get_ref()?.downcast_ref().map(tls)
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
        // The signature is bad where another CA has the name of a trusted one.
        Tls::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the server's certificate is not signed by a trusted CA; \
             set export.otlp.tls.ca to the CA that signed it"
            .to_owned(),
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
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError,
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
        Some(_) if error.is_library() => NOT_GRPC.to_owned(),
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
