//! The thread that listens.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, Once, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, join},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    runtime,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

use super::{
    ask::Asker,
    counts::{Counts, Received},
    find::Rules,
    grpc, http as otlp_http,
    intake::{Export, Intake},
    listen::Listeners,
    peer::Peer,
};
use crate::{incident::stage::Reporter, procfs::spare_descriptors};

/// Connections at once, of all listeners; others wait in the kernel.
const CONNECTIONS: usize = 1_024;
/// So many there are however few descriptors are left.
const FEWEST: usize = 64;
/// Bytes of a connection that are read at once, and of the head of a request.
const BUFFER: usize = 16 << 10;
/// The same, of a call.
const HEADERS: u32 = 16 << 10;
/// Calls at once on one connection.
const STREAMS: u32 = 32;
/// Bytes that a connection of HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: usize = 24;
/// How long a request may take from its head to its answer.
const REQUEST: Duration = Duration::from_secs(10);
/// How long a connection may be idle. SDKs send every few seconds.
const IDLE: Duration = Duration::from_secs(60);
/// How long an error of accept(2), such as no descriptors, is waited out.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the end may take.
const LAST: Duration = Duration::from_secs(1);

/// What it takes.
#[derive(Debug)]
pub struct Config {
    /// Where applications connect.
    pub listeners: Listeners,
    /// What is an incident.
    pub rules: Rules,
    /// Who knows the processes.
    pub asker: Asker,
    /// Where incidents go.
    pub reporter: Reporter,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Receiver {
    stop: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
    rules: Arc<Mutex<Arc<Rules>>>,
    counts: Arc<Counts>,
}

impl Receiver {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Where there can be no more threads or descriptors.
    pub fn start(config: Config) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let Config {
            listeners,
            rules,
            asker,
            reporter,
        } = config;
        let rules = Arc::new(Mutex::new(Arc::new(rules)));
        let counts = Arc::new(Counts::default());
        let intake = Intake::new(Arc::clone(&rules), asker, reporter, Arc::clone(&counts));
        let intake = Arc::new(intake);
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // The file of the socket lasts as long as the thread.
                    match listen(listeners, &intake) {
                        Ok(_place) => {
                            tokio::select! {
                                _ = stopped => {}
                                () = intake.look() => {}
                            }
                            intake.due(None);
                        }
                        Err(error) => tracing::warn!("nothing is received: {error}"),
                    }
                });
                drop(runtime);
                drop(end);
            })?;
        Ok(Self {
            stop: Some(stop),
            ended,
            thread: Some(thread),
            rules,
            counts,
        })
    }

    /// What is an incident from now on.
    pub fn follow(&self, rules: Rules) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Ends it; what it did in all.
    #[must_use]
    pub fn finish(self) -> Received {
        let counts = Arc::clone(&self.counts);
        drop(self);
        counts.now()
    }

    /// What it did.
    #[must_use]
    pub fn received(&self) -> Received {
        self.counts.now()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        // The other end is never sent to: it is dropped at the end.
        let late = self.ended.recv_timeout(LAST) == Err(mpsc::RecvTimeoutError::Timeout);
        if let Some(thread) = self.thread.take().filter(|_| !late) {
            let _ = thread.join();
        }
    }
}

/// Starts to accept; what is returned has to be kept.
fn listen(listeners: Listeners, intake: &Arc<Intake>) -> io::Result<impl Sized + use<>> {
    let Listeners { http, grpc, socket } = listeners;
    let mut all = Vec::new();
    if let Some(listener) = http {
        all.push(Listener::Http(TcpListener::from_std(listener)?));
    }
    if let Some(listener) = grpc {
        all.push(Listener::Grpc(TcpListener::from_std(listener)?));
    }
    let (socket, place) = socket.unzip();
    if let Some(listener) = socket {
        all.push(Listener::Socket(UnixListener::from_std(listener)?));
    }
    let connections = spare_descriptors().clamp(FEWEST, CONNECTIONS);
    let room = Arc::new(Room {
        free: Arc::new(Semaphore::new(connections)),
        full: Once::new(),
        connections,
    });
    for listener in all {
        tokio::spawn(accept(listener, Arc::clone(&room), Arc::clone(intake)));
    }
    Ok(place)
}

enum Listener {
    Http(TcpListener),
    Grpc(TcpListener),
    Socket(UnixListener),
}

enum Connection {
    Http(TcpStream, SocketAddr),
    Grpc(TcpStream, SocketAddr),
    Socket(UnixStream),
}

impl Listener {
    async fn next(&self) -> io::Result<Connection> {
        Ok(match self {
            Self::Http(listener) => {
                let (stream, there) = listener.accept().await?;
                Connection::Http(stream, there)
            }
            Self::Grpc(listener) => {
                let (stream, there) = listener.accept().await?;
                Connection::Grpc(stream, there)
            }
            Self::Socket(listener) => Connection::Socket(listener.accept().await?.0),
        })
    }
}

/// Room for connections.
struct Room {
    free: Arc<Semaphore>,
    /// It is told once.
    full: Once,
    connections: usize,
}

impl Room {
    /// Room for one; `None` never, as it is never closed.
    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(permit);
        }
        self.full.call_once(|| {
            tracing::warn!(
                "the receiver has {} connections, its most; others wait until one of them ends \
                 (told once)",
                self.connections
            );
        });
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

async fn accept(listener: Listener, room: Arc<Room>, intake: Arc<Intake>) {
    while let Some(permit) = room.take().await {
        match listener.next().await {
            Ok(connection) => {
                tokio::spawn(serve(connection, Arc::clone(&intake), permit));
            }
            Err(error) => {
                tracing::debug!("a connection could not be taken: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(connection: Connection, intake: Arc<Intake>, _room: OwnedSemaphorePermit) {
    // How a connection ends is the other side's affair.
    let ended = match connection {
        Connection::Http(stream, there) => match stream.local_addr() {
            Ok(here) => over_http(stream, export(intake, Peer::tcp(there, here))).await,
            Err(_) => return,
        },
        Connection::Grpc(stream, there) => match stream.local_addr() {
            Ok(here) => over_grpc(stream, export(intake, Peer::tcp(there, here))).await,
            Err(_) => return,
        },
        Connection::Socket(stream) => {
            let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
            let pid = pid.and_then(|pid| u32::try_from(pid).ok());
            over_http(stream, export(intake, Peer::unix(pid))).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection of an application ended: {error}");
    }
}

fn export(intake: Arc<Intake>, peer: Peer) -> Arc<Export> {
    Arc::new(Export { intake, peer })
}

async fn over_http<S>(stream: S, export: Arc<Export>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request: Request<Incoming>| {
        let answer = otlp_http::answer(Arc::clone(&export), request);
        in_time(answer)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn over_grpc(stream: TcpStream, export: Arc<Export>) -> hyper::Result<()> {
    // HTTP/2 has no limit of its own for the time until it has begun.
    let mut preface = [0; PREFACE];
    let (mut from, to) = stream.into_split();
    if !matches!(
        timeout(REQUEST, from.read_exact(&mut preface)).await,
        Ok(Ok(_))
    ) {
        return Ok(());
    }
    let stream = join((&preface[..]).chain(from), to);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = grpc::answer(Arc::clone(&export), request);
        in_time(answer)
    });
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// A request that takes too long is dropped, and its connection with it.
async fn in_time<B>(
    answer: impl Future<Output = Response<B>>,
) -> Result<Response<B>, tokio::time::error::Elapsed> {
    timeout(REQUEST, answer).await
}
