//! From a host name to a connection: name, TCP, TLS. Used by both protocols.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use ::http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Otlp, Signal, Target, reason};

/// Longest time from the name to a TCP connection, over all addresses
/// (contract Q7).
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Opens connections to one target, whatever URI it is asked for.
#[derive(Clone)]
pub(super) struct Connector {
    target: Arc<Target>,
    tls: Option<Arc<ClientConfig>>,
    trouble: Trouble,
}

/// Why a TLS connection that was open already failed, where TLS knows better
/// than HTTP, for which it is just closed.
///
/// With TLS 1.3 a server that wants a client certificate says so after the
/// client is done with the handshake. Its alert may be lost, when the request
/// meets a closed socket: then all that is known is that nothing ever came.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// Takes the reason, where there is one.
    pub(super) fn take(&self) -> Option<String> {
        self.slot().take()
    }

    fn nothing_came_yet(&self) {
        *self.slot() = Some(reason::CLOSED_AFTER_HANDSHAKE.to_owned());
    }

    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result
            && let Some(reason) = reason::tls_in(error)
        {
            *self.slot() = Some(reason);
        }
        result
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to where a signal goes, with TLS where it is wanted, and sends
/// nothing; for somebody who wants to know whether that works. Does nothing
/// where the signal goes nowhere.
///
/// # Errors
///
/// The reason, as in [`super::Outcome::Retry`].
pub async fn reach(otlp: &Otlp, signal: Signal) -> Result<(), String> {
    let Some(target) = otlp.target(signal) else {
        return Ok(());
    };
    // As long for TLS as for all before it.
    let limit = 2 * CONNECT_LIMIT;
    let connect = Connector::new(target, otlp).connect();
    match tokio::time::timeout(limit, connect).await {
        Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("timed out after {}", reason::seconds(limit))),
    }
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
            trouble: Trouble::default(),
        }
    }

    /// A connector of a target that has its own TLS.
    pub(super) fn with(target: Target, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            target: Arc::new(target),
            tls,
            trouble: Trouble::default(),
        }
    }

    /// Of the connections that this connector and its clones open.
    pub(super) fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    async fn connect(self) -> Result<Stream, ConnectError> {
        self.trouble.take();
        let tcp = self.dial().await?;
        // Requests are written whole; waiting for more would only delay them.
        let _ = tcp.set_nodelay(true);
        let Some(tls) = self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let name = ServerName::try_from(self.target.host.clone())
            .map_err(|_| ConnectError("the host has no name that TLS can verify".to_owned()))?;
        let stream = TlsConnector::from(tls)
            .connect(name, tcp)
            .await
            .map_err(|error| ConnectError(reason::tls_handshake(&error)))?;
        self.trouble.nothing_came_yet();
        Ok(Stream::Tls(Box::new(stream), self.trouble))
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
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async { connector.connect().await.map(TokioIo::new) })
    }
}

/// A connection, in the clear or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>, Trouble),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream, trouble) => {
                let before = buffer.filled().len();
                let result = trouble.note(Pin::new(stream).poll_read(context, buffer));
                if buffer.filled().len() > before {
                    trouble.take();
                }
                result
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream, trouble) => trouble.note(Pin::new(stream).poll_write(context, bytes)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream, trouble) => trouble.note(Pin::new(stream).poll_flush(context)),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream, _) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
