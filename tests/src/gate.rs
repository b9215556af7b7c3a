//! A way to a collector that can be closed and opened, as a network is.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// A port that leads to a collector, or nowhere. Its thread ends with the test
/// process.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    way: Arc<Mutex<Way>>,
}

#[derive(Debug, Default)]
struct Way {
    /// The port on 127.0.0.1 that is behind it; `None` where it is closed.
    upstream: Option<u16>,
    streams: Vec<TcpStream>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::closed()
    }
}

impl Gate {
    /// One that leads nowhere yet.
    #[must_use]
    pub fn closed() -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("cannot bind a port of 127.0.0.1");
        let address = listener.local_addr();
        let port = address.expect("a bound listener has an address").port();
        let way = Arc::new(Mutex::new(Way::default()));
        let shared = Arc::clone(&way);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A collector that ends meanwhile is one that is away.
                let _ = lock(&shared).lead(stream);
            }
        });
        Self { port, way }
    }

    /// Where to connect to on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on it leads to this port on 127.0.0.1.
    pub fn open(&self, upstream: u16) {
        lock(&self.way).upstream = Some(upstream);
    }

    /// Cuts every connection, and lets none through.
    pub fn close(&self) {
        let mut way = lock(&self.way);
        way.upstream = None;
        for stream in way.streams.drain(..) {
            // It may be cut already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Way {
    fn lead(&mut self, client: TcpStream) -> io::Result<()> {
        let Some(port) = self.upstream else {
            return Ok(());
        };
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        for (mut from, mut to) in [
            (client.try_clone()?, server.try_clone()?),
            (server.try_clone()?, client.try_clone()?),
        ] {
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
        }
        self.streams.extend([client, server]);
        Ok(())
    }
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap_or_else(PoisonError::into_inner)
}
