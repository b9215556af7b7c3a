//! From a host name to a connection: name, TCP, TLS. Used by both protocols.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Otlp, Target, reason};

/// Longest time from the name to a TCP connection, over all addresses
/// (contract Q7).
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Opens connections to one target, whatever URI it is asked for.
#[derive(Clone)]
pub(super) struct Connector {
    target: Arc<Target>,
    tls: Option<Arc<ClientConfig>>,
}

/// Why there is no connection; the text is a reason as in
/// [`super::Outcome::Retry`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ConnectError(String);

impl Connector {
    pub(super) fn new(target: &Target, otlp: &Otlp) -> Self {
        Self {
            target: Arc::new(target.clone()),
            tls: otlp.tls.clone().filter(|_| target.secure),
        }
    }

    async fn connect(self) -> Result<Stream, ConnectError> {
        let tcp = self.dial().await?;
        // Requests are written whole; waiting for more would only delay them.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = self.tls else {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        };
        let name = ServerName::try_from(self.target.host.clone())
            .map_err(|_| ConnectError("the host has no name that TLS can verify".to_owned()))?;
        let stream = TlsConnector::from(tls)
            .connect(name, tcp)
            .await
            .map_err(|error| ConnectError(reason::tls_handshake(&error)))?;
        Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
    }

    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let deadline = Instant::now() + CONNECT_LIMIT;
        let limit = reason::seconds(CONNECT_LIMIT);
        let lookup = tokio::net::lookup_host((self.target.host.as_str(), self.target.port));
        let addresses: Vec<SocketAddr> = match timeout_at(deadline, lookup).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(ConnectError(reason::lookup(&error))),
            Err(_) => {
                return Err(ConnectError(format!(
                    "the name was not resolved within {limit}"
                )));
            }
        };
        let mut failure = "the name has no address".to_owned();
        for (index, address) in addresses.iter().enumerate() {
            // An address that swallows packets leaves time for the next.
            let now = Instant::now();
            let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let share = now + deadline.saturating_duration_since(now) / left;
            failure = match timeout_at(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => reason::io(&error),
                Err(_) => format!("no answer to the connection attempt within {limit}"),
            };
        }
        Err(ConnectError(failure))
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// A connection, in the clear or not.
pub(super) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
