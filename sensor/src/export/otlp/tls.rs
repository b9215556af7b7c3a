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

use super::{ConfigError, TlsConfig};

/// What the three files are called in the configuration.
pub(super) struct Keys {
    ca: &'static str,
    certificate: &'static str,
    key: &'static str,
}

/// Those of the collector.
pub(super) const COLLECTOR: Keys = Keys {
    ca: "export.otlp.tls.ca",
    certificate: "export.otlp.tls.certificate",
    key: "export.otlp.tls.key",
};

/// Those of a transport of incidents.
const TRANSPORT: Keys = Keys {
    ca: "incident.transport.tls.ca",
    certificate: "incident.transport.tls.certificate",
    key: "incident.transport.tls.key",
};

/// TLS as a transport of incidents uses it; with `alpn` where its protocol has
/// a name.
///
/// # Errors
///
/// Every problem of the files.
pub(crate) fn of_transport(
    files: &TlsConfig,
    alpn: Option<&[u8]>,
) -> Result<Arc<ClientConfig>, Vec<ConfigError>> {
    let mut problems = Vec::new();
    let alpn = alpn.map(<[u8]>::to_vec).into_iter().collect();
    let made = client_config(files, &TRANSPORT, alpn, true, &mut |problem| {
        problems.push(problem);
    });
    made.ok_or(problems)
}

/// The client side of TLS. Named files are read and checked also where no
/// endpoint needs them; the host's own authorities only where one does.
pub(super) fn client_config(
    config: &TlsConfig,
    keys: &Keys,
    alpn: Vec<Vec<u8>>,
    needed: bool,
    keep: &mut impl FnMut(ConfigError),
) -> Option<Arc<ClientConfig>> {
    let roots = match &config.ca {
        Some(path) => Some(roots_in(path, keys)),
        None => needed.then(host_roots),
    };
    let identity = identity(config, keys);
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
    match build(roots, identity, alpn) {
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
    alpn: Vec<Vec<u8>>,
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
    config.alpn_protocols = alpn;
    Ok(config)
}

fn identity(config: &TlsConfig, keys: &Keys) -> Result<Option<Identity>, ConfigError> {
    let half = |given, missing| Err(ConfigError::HalfIdentity { given, missing });
    match (&config.certificate, &config.key) {
        (None, None) => Ok(None),
        (Some(_), None) => half(keys.certificate, keys.key),
        (None, Some(_)) => half(keys.key, keys.certificate),
        (Some(certificate), Some(key)) => Ok(Some(Identity {
            chain: certificates(certificate, keys.certificate)?,
            key: PrivateKeyDer::from_pem_file(key)
                .map_err(|error| pem_error(error, key, keys.key, "private key"))?,
            files: config.clone(),
        })),
    }
}

fn roots_in(path: &Path, keys: &Keys) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(path, keys.ca)?);
    if added == 0 {
        return Err(ConfigError::NotPem {
            path: path.to_owned(),
            setting: keys.ca,
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
