//! The client's TLS configuration: HTTP/1.1 by ALPN, certificates checked as the plan says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read, or holds no certificate.
    #[error("The certificates of {} can't be read: {words}.", path.display())]
    Certificates { path: PathBuf, words: String },
    /// The text holds no certificate, or a bad one.
    #[error("The certificates can't be read: {0}.")]
    Text(String),
    /// The crypto provider can't be set up.
    #[error("TLS can't be set up: {0}.")]
    Provider(#[from] rustls::Error),
}

/// Trusts the system's roots (or `SSL_CERT_FILE`), Mozilla's, and those of the file `ca` and the text `certificates` (PEM);
/// `insecure` checks no certificate.
///
/// # Errors
/// When a certificate can't be read, or the crypto provider can't be set up.
pub fn tls_config(ca: Option<&Path>, certificates: Option<&str>, insecure: bool) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let mut config = if insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unchecked { provider })).with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            add_file(path, &mut roots)?;
        }
        if let Some(text) = certificates {
            add(CertificateDer::pem_slice_iter(text.as_bytes()), &mut roots).map_err(TlsError::Text)?;
        }
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Trusts this one certificate authority (PEM) and no other.
///
/// # Errors
/// When the crypto provider can't be set up, or the PEM holds no certificate.
pub fn tls_config_trusting(authority: &str) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes());
    roots.add(certificate.map_err(|error| rustls::Error::General(error.to_string()))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Checks that a text holds certificates (PEM) that can be trusted.
///
/// # Errors
/// When it holds none, or one that can't be read.
pub fn check_certificates(text: &str) -> Result<(), TlsError> {
    add(CertificateDer::pem_slice_iter(text.as_bytes()), &mut RootCertStore::empty()).map_err(TlsError::Text)
}

fn add_file(path: &Path, roots: &mut RootCertStore) -> Result<(), TlsError> {
    let wrong = |words: String| TlsError::Certificates { path: path.to_owned(), words };
    let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    add(read, roots).map_err(wrong)
}

/// Trusts certificates; an error is the end of a sentence.
fn add(read: impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>>, roots: &mut RootCertStore) -> Result<(), String> {
    let mut found = 0;
    for certificate in read {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        found += 1;
    }
    if found == 0 { Err("there is none in it".to_owned()) } else { Ok(()) }
}

/// Accepts any certificate; that the server holds its private key is still checked.
#[derive(Debug)]
struct Unchecked {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
