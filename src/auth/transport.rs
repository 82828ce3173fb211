//! How a request came: over https, or over plain http from this machine or from elsewhere.

use axum::http::{HeaderMap, Uri, header};

use crate::state::Config;
use crate::state::config::is_loopback;

/// How the browser came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over https, by the public address.
    Https,
    /// Over plain http on this machine.
    Loopback,
    /// Over plain http from elsewhere: good for tokens, not for cookies.
    Plain,
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

/// The request's authority: that of the request line where there is one (HTTP/2), else the `Host` header.
pub fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()))
}

/// How a request of this authority came; absent when the name is not the portal's.
pub fn transport(config: &Config, authority: &str) -> Option<Transport> {
    let authority = authority.to_ascii_lowercase();
    if let Some(public) = &config.public_url
        && public.authority == authority
    {
        return Some(if public.https { Transport::Https } else { Transport::Loopback });
    }
    let host = host_of(&authority);
    if is_loopback(host) {
        return Some(Transport::Loopback);
    }
    // An address can't be rebound to. One that the portal listens on is its own name.
    let ip: std::net::IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    let listens_there = config.site_addr.ip().is_unspecified() || config.site_addr.ip() == ip;
    listens_there.then_some(Transport::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port() {
        for (authority, host) in [("a.b:80", "a.b"), ("a.b", "a.b"), ("[::1]:3000", "[::1]"), ("[::1]", "[::1]")] {
            assert_eq!(host_of(authority), host);
        }
        assert!(is_loopback("[::1]") && is_loopback("127.0.0.1") && is_loopback("localhost"));
        assert!(!is_loopback("localhost.evil.example") && !is_loopback("10.0.0.1"));
    }
}
