//! A server's address, parsed from its base URL before anything is sent.

use crate::address_policy::AddressPolicy;

/// The address of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// Path before the call's own, without a slash at its end: `/v1` where the base URL had none.
    pub base_path: String,
    /// The addresses that the name may resolve to; absent: any.
    pub policy: Option<AddressPolicy>,
}

/// A base URL that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The base URL {base_url:?} {fault}.")]
pub struct AddressError {
    pub base_url: String,
    pub fault: AddressFault,
}

/// What is wrong with a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    #[error("must begin with http:// or https://")]
    Scheme,
    #[error("must not carry a user name or password")]
    UserInfo,
    #[error("must have neither a query nor a fragment")]
    Query,
    #[error("has a space or control character in it")]
    Whitespace,
    #[error("lacks a closing bracket")]
    Bracket,
    #[error("names no host")]
    NoHost,
    #[error("has a port that is no number")]
    Port,
}

impl Address {
    /// Parses a base URL.
    ///
    /// # Errors
    /// When the URL can't be used.
    pub fn parse(base_url: &str) -> Result<Self, AddressError> {
        let wrong = |fault: AddressFault| AddressError { base_url: base_url.to_owned(), fault };
        let (tls, rest) = if let Some(rest) = base_url.strip_prefix("http://") {
            (false, rest)
        } else if let Some(rest) = base_url.strip_prefix("https://") {
            (true, rest)
        } else {
            return Err(wrong(AddressFault::Scheme));
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if authority.contains('@') {
            return Err(wrong(AddressFault::UserInfo));
        }
        if path.contains(['?', '#']) || authority.contains(['?', '#']) {
            return Err(wrong(AddressFault::Query));
        }
        if base_url.chars().any(|c| c.is_ascii_control() || c.is_whitespace()) {
            return Err(wrong(AddressFault::Whitespace));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or_else(|| wrong(AddressFault::Bracket))?;
                (host, after.strip_prefix(':'))
            }
            None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(wrong(AddressFault::NoHost));
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong(AddressFault::Port))?,
            None if tls => 443,
            None => 80,
        };
        let path = path.trim_end_matches('/');
        let base_path = if path.is_empty() { "/v1" } else { without_call(path) }.to_owned();
        Ok(Self { tls, host: host.to_owned(), port, base_path, policy: None })
    }

    /// The value of the `Host` header.
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }

    /// The path without `/v1`, under which engines have their own calls (`/tokenize`).
    pub fn root_path(&self) -> &str {
        self.base_path.strip_suffix("/v1").unwrap_or("")
    }
}

/// A URL or path without the call at its end: the URL of a call is often pasted where the server's is meant.
pub fn without_call(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    let call = ["/chat/completions", "/completions", "/embeddings"].iter().find_map(|call| url.strip_suffix(call));
    call.map_or(url, |before| before.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let plain = Address::parse("http://127.0.0.1:8100").unwrap();
        assert_eq!((plain.tls, plain.port, plain.base_path.as_str(), plain.root_path()), (false, 8100, "/v1", ""));
        let cloud = Address::parse("https://api.groq.com/openai/v1/").unwrap();
        assert_eq!((cloud.tls, cloud.port, cloud.base_path.as_str()), (true, 443, "/openai/v1"));
        assert_eq!(cloud.host_header(), "api.groq.com");
        for (whole, base) in [
            ("http://h/v1/chat/completions", "/v1"),
            ("http://h/openai/v1/completions/", "/openai/v1"),
            ("http://h/v1/embeddings", "/v1"),
            ("http://h/chat/completions", ""),
        ] {
            assert_eq!(Address::parse(whole).unwrap().base_path, base, "{whole}");
        }
        assert_eq!(Address::parse("http://[::1]:8").unwrap().host_header(), "[::1]:8");
        for wrong in ["ftp://x", "http://", "http://u:p@h/", "http://h:x", "http://h/?a=b", "http://h /"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
