//! Which host names are the portal's. A page of another name must not reach it, even where that name points to this
//! machine (DNS rebinding).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::config::Config;

/// How the browser came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// Over https, by the public address.
    Https,
    /// Over plain http on this machine.
    Loopback,
    /// Over plain http from elsewhere: good for tokens, not for cookies.
    Plain,
}

/// Whether a host (without port) is this machine by name or address.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    }
}

/// The request's authority: that of the request line where there is one (HTTP/2), else the `Host` header.
pub(super) fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()))
}

/// How a request of this authority came; absent when the name is not the portal's.
pub(super) fn channel(config: &Config, authority: &str) -> Option<Channel> {
    let authority = authority.to_ascii_lowercase();
    if let Some(public) = &config.public_url
        && public.authority == authority
    {
        return Some(if public.https { Channel::Https } else { Channel::Loopback });
    }
    let host = host_of(&authority);
    if is_loopback(host) {
        return Some(Channel::Loopback);
    }
    // An address can't be rebound to. One that the portal listens on is its own name.
    let ip: std::net::IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    let listens_there = config.site_addr.ip().is_unspecified() || config.site_addr.ip() == ip;
    listens_there.then_some(Channel::Plain)
}

/// Answers foreign names with 421.
pub(super) async fn own_names_only(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let found = authority(request.uri(), request.headers()).and_then(|authority| channel(&app.config, authority));
    let Some(channel) = found else {
        let text = "This portal does not answer to that host name. DYNO_PUBLIC_URL tells it its own.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    };
    request.extensions_mut().insert(channel);
    next.run(request).await
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
