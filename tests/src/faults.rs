//! Collectors that misbehave, each on a port of its own.
//!
//! Their threads end with the test process.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A listener that does the same to every connection.
#[derive(Debug)]
pub struct Faulty {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Faulty {
    /// Calls `serve` with each connection and its number, one at a time.
    pub fn serving(mut serve: impl FnMut(TcpStream, usize) + Send + 'static) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("cannot bind a port of 127.0.0.1");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, counter.fetch_add(1, Ordering::SeqCst));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Takes connections and never says a word.
    #[must_use]
    pub fn silent() -> Self {
        let mut held = Vec::new();
        Self::serving(move |stream, _| held.push(stream))
    }

    /// Answers whatever comes with these bytes, then closes.
    #[must_use]
    pub fn answering(answer: &'static [u8]) -> Self {
        Self::serving(move |stream, _| {
            let _ = answer_and_close(stream, answer);
        })
    }

    /// Reads the beginning of what comes, then closes.
    #[must_use]
    pub fn closing() -> Self {
        Self::answering(b"")
    }

    /// Answers the first connections with these bytes, one each, and connects
    /// all later ones with `upstream`.
    #[must_use]
    pub fn first(answers: &'static [&'static [u8]], upstream: u16) -> Self {
        Self::serving(move |stream, number| {
            let done = match answers.get(number) {
                Some(answer) => answer_and_close(stream, answer),
                None => splice(stream, upstream),
            };
            drop(done);
        })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn answer_and_close(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut request = [0; 4096];
    // The first bytes of the request, so that the answer is one.
    let _ = stream.read(&mut request)?;
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)?;
    // A socket closed with unread bytes would be reset, and the answer lost.
    while stream.read(&mut request)? > 0 {}
    Ok(())
}

fn splice(mut client: TcpStream, upstream: u16) -> io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?;
    let (mut from_client, mut to_client) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut server);
        let _ = server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut to_client, &mut client);
        let _ = client.shutdown(Shutdown::Write);
    });
    Ok(())
}

/// A plain HTTP/1.1 collector that answers each request with the same bytes
/// and keeps what it got, for what a real one does not print: raw requests.
#[derive(Debug)]
pub struct Recorder {
    faulty: Faulty,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    /// Answers with `answer`, which must be a complete HTTP answer.
    #[must_use]
    pub fn answering(answer: &'static [u8]) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let faulty = Faulty::serving(move |mut stream, _| {
            let mut reader = io::BufReader::new(match stream.try_clone() {
                Ok(stream) => stream,
                Err(_) => return,
            });
            while let Ok(Some(request)) = read_request(&mut reader) {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(request);
                if stream.write_all(answer).is_err() {
                    return;
                }
            }
        });
        Self { faulty, requests }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.faulty.endpoint()
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.faulty.address()
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.faulty.connections()
    }

    /// Requests so far, head and body as they came.
    #[must_use]
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// One request with `content-length`; `None` at the end of the connection.
///
/// # Errors
///
/// Where the connection is cut.
pub fn read_request(reader: &mut impl io::BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let start = request.len();
        if reader.read_until(b'\n', &mut request)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&request[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let head = request.len();
    request.resize(head + length, 0);
    reader.read_exact(&mut request[head..])?;
    Ok(Some(request))
}
