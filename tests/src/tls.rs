//! TLS in front of a collector that has none, with certificates made on the
//! spot.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate authority of its own, and a directory for its files.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// PEM files of one party.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority, trusted by nobody.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key_pair())
            .expect("cannot make a certificate authority");
        let directory = tempfile::tempdir().expect("cannot make a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem())
            .expect("cannot write a certificate");
        Self { issuer, directory }
    }

    /// The file with its certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate and key for `name`, as files.
    #[must_use]
    pub fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = self.issue(name);
        let identity = Identity {
            certificate: self.directory.path().join(format!("{name}.pem")),
            key: self.directory.path().join(format!("{name}.key")),
        };
        fs::write(&identity.certificate, certificate.pem()).expect("cannot write a certificate");
        fs::write(&identity.key, key.serialize_pem()).expect("cannot write a key");
        identity
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = key_pair();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .and_then(|params| params.signed_by(&key, &self.issuer))
            .expect("cannot sign a certificate");
        (certificate, key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn key_pair() -> KeyPair {
    KeyPair::generate().expect("cannot make a key")
}

/// Ends TLS and passes the bytes on to a port of 127.0.0.1. Its thread ends
/// with the test process.
#[derive(Debug)]
pub struct Terminator {
    address: SocketAddr,
}

impl Terminator {
    /// Shows a certificate of `authority` for `name`; with `clients` only
    /// clients with a certificate of that authority are let in.
    #[must_use]
    pub fn start(
        authority: &Authority,
        name: &str,
        clients: Option<&Authority>,
        upstream: u16,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(authority, name, clients)));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .expect("cannot bind a port of 127.0.0.1");
        listener
            .set_nonblocking(true)
            .expect("cannot set up a listener");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("cannot make a runtime")
                .block_on(accept(listener, acceptor, upstream));
        });
        Self { address }
    }

    /// `https://HOST:PORT` with a host of the caller's choice.
    #[must_use]
    pub fn endpoint(&self, host: &str) -> String {
        format!("https://{host}:{}", self.address.port())
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

fn server_config(authority: &Authority, name: &str, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(clients.issuer.der().clone())
                .expect("cannot trust the authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .expect("cannot make a verifier");
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (certificate, key) = authority.issue(name);
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("the key is PKCS 8");
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let mut config = builder
        .with_single_cert(chain, key)
        .expect("certificate and key belong together");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor, upstream: u16) {
    let listener = TcpListener::from_std(listener).expect("cannot use the listener");
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // What a client does wrong is for the test to see at the client.
            let Ok(mut client) = acceptor.accept(stream).await else {
                return;
            };
            let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await else {
                return;
            };
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
