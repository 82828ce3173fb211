//! TLS configuration and certificate.

use std::{io, net::IpAddr, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};

/// Where the certificate of an engine comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Made at start with its own authority, for `localhost`, the loopback addresses and the listen address.
    Own,
    /// From PEM files: the chain and its key.
    Files { chain: PathBuf, key: PathBuf },
}

/// The server's TLS identity.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    /// The authority to trust, as PEM, where the certificate was made here.
    pub authority: Option<String>,
}

impl Identity {
    /// Makes or reads a certificate, for an engine that listens at `address`.
    pub fn new(certificate: &Certificate, address: IpAddr) -> io::Result<Self> {
        let (chain, key, authority) = match certificate {
            Certificate::Own => made(address).map_err(io::Error::other)?,
            Certificate::Files { chain, key } => {
                let all = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                let chain = all.map_err(|error| io::Error::other(format!("{}: {error}", chain.display())))?;
                let private = PrivateKeyDer::from_pem_file(key);
                (chain, private.map_err(|error| io::Error::other(format!("{}: {error}", key.display())))?, None)
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), authority })
    }
}

type Made = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, Option<String>);

fn made(address: IpAddr) -> Result<Made, rcgen::Error> {
    let named = |name: &str| {
        let mut distinguished = DistinguishedName::new();
        distinguished.push(DnType::CommonName, name);
        distinguished
    };
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name = named("Dyno reference engine (simulated), certificate authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), address.to_string()];
    let mut server = CertificateParams::new(names.to_vec())?;
    server.distinguished_name = named("Dyno reference engine (simulated)");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &authority)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((vec![certificate.der().clone()], private, Some(authority.pem())))
}
