//! Outgoing requests to addresses that users name.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, RequestBuilder, Url, redirect};
use rustls::RootCertStore;

use super::{AddressPolicy, AddressRefusal};
use dyno_load::client::tls::{TlsError, tls_config};

/// The administrator's settings for outgoing requests.
#[derive(Debug, Clone, Default)]
pub struct OutgoingOptions {
    /// Ports that the portal itself listens on.
    pub own_ports: Vec<u16>,
    /// Whether loopback is allowed for everybody (`DYNO_ALLOW_LOOPBACK`); otherwise while there is a single user.
    pub allow_loopback: bool,
    /// Whether the environment's proxies are used.
    pub system_proxy: bool,
}

/// Why a request could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The address is not allowed.
    #[error("refused: {0}")]
    Refused(#[from] AddressRefusal),
    /// The URL is invalid.
    #[error("not an http or https URL")]
    BadUrl,
    /// The name has no address.
    #[error("the host name was not found")]
    UnknownHost,
    /// The client could not be built.
    #[error("client: {0}")]
    Client(#[source] reqwest::Error),
    #[error("request: {0}")]
    Request(#[source] reqwest::Error),
}

impl OutgoingError {
    /// Classifies an error of the client; a refusal by the policy is found among its causes.
    pub fn from_request(error: reqwest::Error) -> Self {
        match refusal_within(&error) {
            Some(refusal) => Self::Refused(refusal),
            // the URL may contain a secret
            None => Self::Request(error.without_url()),
        }
    }

    /// A sentence for people, with nothing that the server sent.
    pub fn sentence(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.sentence().to_owned(),
            Self::BadUrl => "The address must begin with http:// or https://.".to_owned(),
            Self::Client(_) => "The request could not be prepared. The portal's log says why.".to_owned(),
            Self::Request(error) if error.is_timeout() => "No answer within the time limit.".to_owned(),
            Self::Request(error) if mentions(error, &["certificate", "tls", "handshake"]) => {
                "The TLS connection failed: the certificate is not trusted, or the server does not speak TLS.".to_owned()
            }
            Self::UnknownHost => "The host name was not found.".to_owned(),
            Self::Request(error) if mentions(error, &["dns", "lookup", "resolve"]) => "The host name was not found.".to_owned(),
            Self::Request(error) if error.is_connect() => "The server refused the connection or is not reachable.".to_owned(),
            Self::Request(_) => "The connection ended before the answer was complete.".to_owned(),
        }
    }
}

fn refusal_within(error: &(dyn std::error::Error + 'static)) -> Option<AddressRefusal> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref::<AddressRefusal>().copied())
}

fn mentions(error: &reqwest::Error, words: &[&str]) -> bool {
    let error: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        let text = error.to_string().to_lowercase();
        words.iter().any(|word| text.contains(word))
    })
}

/// Makes requests that follow no redirects, use no proxy unless configured, and connect to no address that the policy forbids;
/// the policy is checked on each connection against the addresses just resolved.
#[derive(Debug, Clone)]
pub struct Outgoing {
    options: Arc<OutgoingOptions>,
    tls: Arc<rustls::ClientConfig>,
}

impl Outgoing {
    /// Prepares TLS with the system's certificates, or the built-in ones where there are none.
    pub fn new(options: OutgoingOptions) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { options: Arc::new(options), tls: Arc::new(tls) })
    }

    /// The same, which trusts these certificates (PEM) too, or checks none: as the load of a model does. Addresses are checked
    /// all the same.
    pub fn trusting(&self, ca_certificate: Option<&str>, is_unchecked: bool) -> Result<Self, TlsError> {
        if ca_certificate.is_none() && !is_unchecked {
            return Ok(self.clone());
        }
        Ok(Self { options: Arc::clone(&self.options), tls: tls_config(None, ca_certificate, is_unchecked)? })
    }

    /// The current policy: loopback is allowed in a portal with a single user, or where an administrator has allowed it.
    pub fn policy(&self, single_user: bool) -> AddressPolicy {
        AddressPolicy {
            loopback: single_user || self.options.allow_loopback,
            own_ports: self.options.own_ports.clone(),
            own_addresses: own_addresses(),
        }
    }

    /// Begins a request under a policy.
    pub fn request(
        &self,
        policy: &AddressPolicy,
        method: Method,
        url: Url,
        timeout: Duration,
    ) -> Result<RequestBuilder, OutgoingError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutgoingError::BadUrl);
        }
        let port = url.port_or_known_default().ok_or(OutgoingError::BadUrl)?;
        // the client does not resolve literal addresses: they are checked here
        let host = url.host_str().ok_or(OutgoingError::BadUrl)?.trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>() {
            policy.check(address, port)?;
        }
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured((*self.tls).clone())
            .connect_timeout(Duration::from_secs(10))
            .timeout(timeout)
            .user_agent(concat!("dyno/", env!("CARGO_PKG_VERSION")));
        if !self.options.system_proxy {
            builder = builder.no_proxy().dns_resolver(CheckedResolver { policy: policy.clone(), port });
        }
        let client = builder.build().map_err(OutgoingError::Client)?;
        Ok(client.request(method, url))
    }
}

/// Whether a policy lets through the addresses that a URL's host has at this moment. For what is then reached by another
/// client than [`Outgoing`]'s, which asks at each connection.
pub async fn check_host(policy: &AddressPolicy, url: &Url) -> Result<(), OutgoingError> {
    let port = url.port_or_known_default().ok_or(OutgoingError::BadUrl)?;
    let host = url.host_str().ok_or(OutgoingError::BadUrl)?.trim_matches(['[', ']']);
    let Ok(addresses) = tokio::net::lookup_host((host, port)).await else { return Err(OutgoingError::UnknownHost) };
    for address in addresses {
        policy.check(address.ip(), port)?;
    }
    Ok(())
}

/// Addresses of this machine's interfaces; none where they can't be read.
fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    interfaces
        .filter_map(|interface| interface.address)
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect()
}

/// Resolves names and applies the policy. A single forbidden address refuses the name: an answer that mixes both is an attempt
/// to bypass the check.
struct CheckedResolver {
    policy: AddressPolicy,
    port: u16,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, port) = (self.policy.clone(), self.port);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &addresses {
                policy.check(address.ip(), port)?;
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server(answer: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0_u8; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    fn begin(outgoing: &Outgoing, policy: &AddressPolicy, url: &str) -> Result<RequestBuilder, OutgoingError> {
        outgoing.request(policy, Method::GET, Url::parse(url).unwrap(), Duration::from_secs(5))
    }

    async fn refusal(outgoing: &Outgoing, policy: &AddressPolicy, url: &str) -> Option<AddressRefusal> {
        let error = match begin(outgoing, policy, url) {
            Ok(request) => OutgoingError::from_request(request.send().await.err()?),
            Err(error) => error,
        };
        match error {
            OutgoingError::Refused(refusal) => Some(refusal),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn names_and_addresses_are_checked_alike() {
        let port = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let outgoing = Outgoing::new(OutgoingOptions::default()).unwrap();
        let (alone, shared) = (outgoing.policy(true), outgoing.policy(false));
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("http://{host}:{port}/");
            assert_eq!(refusal(&outgoing, &shared, &url).await, Some(AddressRefusal::Loopback));
            assert_eq!(refusal(&outgoing, &alone, &url).await, None);
        }
        assert_eq!(refusal(&outgoing, &alone, "http://169.254.169.254/latest").await, Some(AddressRefusal::LinkLocal));
        assert_eq!(refusal(&outgoing, &alone, "http://[fe80::1]/").await, Some(AddressRefusal::LinkLocal));
        // other notations of the same address
        assert_eq!(refusal(&outgoing, &alone, "http://0xa9fea9fe/").await, Some(AddressRefusal::LinkLocal));
        assert_eq!(refusal(&outgoing, &shared, "http://2130706433/").await, Some(AddressRefusal::Loopback));
    }

    #[tokio::test]
    async fn the_portal_does_not_call_itself() {
        let port = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let outgoing = Outgoing::new(OutgoingOptions { own_ports: vec![port], ..OutgoingOptions::default() }).unwrap();
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("http://{host}:{port}/");
            assert_eq!(refusal(&outgoing, &outgoing.policy(true), &url).await, Some(AddressRefusal::Portal));
        }
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let port = server("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n").await;
        let outgoing = Outgoing::new(OutgoingOptions::default()).unwrap();
        let request = begin(&outgoing, &outgoing.policy(true), &format!("http://127.0.0.1:{port}/")).unwrap();
        assert_eq!(request.send().await.unwrap().status().as_u16(), 302);
    }

    #[tokio::test]
    async fn failures_have_a_sentence() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let outgoing = Outgoing::new(OutgoingOptions::default()).unwrap();
        let policy = outgoing.policy(true);
        let error = begin(&outgoing, &policy, &format!("http://127.0.0.1:{port}/")).unwrap().send().await.unwrap_err();
        let error = OutgoingError::from_request(error);
        assert_eq!(error.sentence(), "The server refused the connection or is not reachable.");
        let error = begin(&outgoing, &policy, "http://no-such-host.invalid/").unwrap().send().await.unwrap_err();
        assert_eq!(OutgoingError::from_request(error).sentence(), "The host name was not found.");
    }
}
