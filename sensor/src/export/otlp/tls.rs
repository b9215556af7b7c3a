//! rustls as the export stage uses it: ring, TLS 1.2 and 1.3, no exceptions.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

use super::{ConfigError, Protocol, TlsConfig};

const CA: &str = "export.otlp.tls.ca";
const CERTIFICATE: &str = "export.otlp.tls.certificate";
const KEY: &str = "export.otlp.tls.key";

/// The client side of TLS. Named files are read and checked also where no
/// endpoint needs them; the host's own authorities only where one does.
pub(super) fn client_config(
    config: &TlsConfig,
    protocol: Protocol,
    needed: bool,
    keep: &mut impl FnMut(ConfigError),
) -> Option<Arc<ClientConfig>> {
    let roots = match &config.ca {
        Some(path) => Some(roots_in(path)),
        None => needed.then(host_roots),
    };
    let identity = identity(config);
    let (roots, identity) = match (roots.transpose(), identity) {
        (Ok(roots), Ok(identity)) => (roots?, identity),
        (roots, identity) => {
            roots.err().map(&mut *keep);
            identity.err().map(&mut *keep);
            return None;
        }
    };
    if !needed {
        return None;
    }
    match build(roots, identity, protocol) {
        Ok(config) => Some(Arc::new(config)),
        Err(problem) => {
            keep(problem);
            None
        }
    }
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// For the message where they do not fit.
    files: TlsConfig,
}

fn build(
    roots: RootCertStore,
    identity: Option<Identity>,
    protocol: Protocol,
) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ConfigError::Tls)?
        .with_root_certificates(roots);
    let mut config =
        match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key, files }) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| ConfigError::Identity {
                    certificate: files.certificate.unwrap_or_default(),
                    key: files.key.unwrap_or_default(),
                    source,
                })?,
        };
    config.alpn_protocols = vec![match protocol {
        Protocol::Grpc => b"h2".to_vec(),
        Protocol::HttpProtobuf => b"http/1.1".to_vec(),
    }];
    Ok(config)
}

fn identity(config: &TlsConfig) -> Result<Option<Identity>, ConfigError> {
    let half = |given, missing| Err(ConfigError::HalfIdentity { given, missing });
    match (&config.certificate, &config.key) {
        (None, None) => Ok(None),
        (Some(_), None) => half(CERTIFICATE, KEY),
        (None, Some(_)) => half(KEY, CERTIFICATE),
        (Some(certificate), Some(key)) => Ok(Some(Identity {
            chain: certificates(certificate, CERTIFICATE)?,
            key: PrivateKeyDer::from_pem_file(key)
                .map_err(|error| pem_error(error, key, KEY, "private key"))?,
            files: config.clone(),
        })),
    }
}

fn roots_in(path: &Path) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path, CA)?);
    if added == 0 {
        return Err(ConfigError::NotPem {
            path: path.to_owned(),
            setting: CA,
            wanted: "certificate",
        });
    }
    Ok(roots)
}

fn host_roots() -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(ConfigError::NoRoots);
    }
    Ok(roots)
}

fn certificates(
    path: &Path,
    setting: &'static str,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let wrong = |error| pem_error(error, path, setting, "certificate");
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(wrong)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong)?;
    if certificates.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn pem_error(
    error: pem::Error,
    path: &Path,
    setting: &'static str,
    wanted: &'static str,
) -> ConfigError {
    match error {
        pem::Error::Io(source) => ConfigError::Unreadable {
            path: path.to_owned(),
            setting,
            source,
        },
        _ => ConfigError::NotPem {
            path: path.to_owned(),
            setting,
            wanted,
        },
    }
}
