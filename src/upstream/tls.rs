//! Whose certificates are trusted.

use std::sync::{Arc, LazyLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::ConfigError;

/// The roots that the operating system trusts: hundreds of files to read, so only once.
pub(super) fn native_roots() -> Arc<RootCertStore> {
    static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            // Not a failure: `http` endpoints need none, and roots may still be added.
            tracing::warn!(errors = ?found.errors, "no root certificates found on this system");
        }
        Arc::new(roots)
    });
    Arc::clone(&ROOTS)
}

/// Adds the certificates in `pem`.
pub(super) fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), ConfigError> {
    const SETTING: &str = "root certificate";
    let mut added = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate
            .map_err(|error| ConfigError::new(SETTING, "not valid PEM").with_source(error))?;
        roots.add(certificate).map_err(|error| {
            ConfigError::new(SETTING, "not a certificate that can be trusted").with_source(error)
        })?;
        added = true;
    }
    if added {
        return Ok(());
    }
    Err(ConfigError::new(
        SETTING,
        "no CERTIFICATE section in the PEM",
    ))
}

/// TLS 1.2 and 1.3 by `ring`, whatever other providers the program has.
pub(super) fn config(
    roots: &Arc<RootCertStore>,
    protocols: &[&[u8]],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
