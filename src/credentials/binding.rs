//! Binds a credential's secret to the single origin that it is sent to.

use reqwest::Url;

use crate::domain::provider::ProviderId;

const MAX_URL: usize = 2_000;

/// Scheme, host and port, as stored with a credential: `https://api.example.com`, the port only if it is not the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As stored and compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a base URL has no origin to bind to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL, or one without a host.
    #[error("not a URL with a host")]
    NotAUrl,
    #[error("neither http nor https")]
    Scheme,
    /// User info in the URL, which would end up in logs.
    #[error("user name or password in the URL")]
    UserInfo,
    /// A part that a base URL can't have.
    #[error("query or fragment in a base URL")]
    Extra,
    #[error("longer than {MAX_URL} characters")]
    TooLong,
    /// The preset's API has another host.
    #[error("not the provider's own host")]
    OtherHost,
}

impl OriginError {
    /// A sentence for people.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::NotAUrl => "Enter a base URL such as https://api.example.com/v1.",
            Self::Scheme => "The base URL must begin with http:// or https://.",
            Self::UserInfo => "The base URL must not contain a user name or password. Add a credential instead.",
            Self::Extra => "The base URL must not contain a query or a fragment.",
            Self::TooLong => "Use at most 2,000 characters.",
            Self::OtherHost => "This provider has an address of its own. Choose \"Other, OpenAI-compatible\" for another one.",
        }
    }
}

/// Parses a base URL entered by a person: http or https, a host, and no part that a base can't have.
pub(crate) fn parse_base(text: &str) -> Result<Url, OriginError> {
    if text.len() > MAX_URL {
        return Err(OriginError::TooLong);
    }
    let url = Url::parse(text.trim()).map_err(|_| OriginError::NotAUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(OriginError::Scheme);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(OriginError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OriginError::UserInfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(OriginError::Extra);
    }
    Ok(url)
}

/// The origin of a base URL.
pub fn origin_of(base_url: &str) -> Result<Origin, OriginError> {
    parse_base(base_url).map(|url| Origin(url.origin().ascii_serialization()))
}

impl Origin {
    /// The origin of a provider's credential: the preset's, or that of the given base URL.
    pub fn for_provider(provider: ProviderId, base_url: Option<&str>) -> Result<Self, OriginError> {
        match (provider.preset().base_url, base_url) {
            (Some(fixed), None) => origin_of(fixed),
            (Some(fixed), Some(given)) => {
                let (fixed, given) = (origin_of(fixed)?, origin_of(given)?);
                if fixed == given { Ok(fixed) } else { Err(OriginError::OtherHost) }
            }
            (None, Some(given)) => origin_of(given),
            (None, None) => Err(OriginError::NotAUrl),
        }
    }

    /// Whether a secret bound to this origin may be sent to the base URL.
    pub fn admits(bound: &str, base_url: &str) -> bool {
        origin_of(base_url).is_ok_and(|origin| origin.0 == bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin_of("https://API.example.com:443/v1").unwrap().as_str(), "https://api.example.com");
        assert_eq!(origin_of("http://127.0.0.1:8100/v1/").unwrap().as_str(), "http://127.0.0.1:8100");
        assert_eq!(origin_of("http://[::1]:80").unwrap().as_str(), "http://[::1]");
    }

    #[test]
    fn a_secret_goes_to_its_origin_and_no_other() {
        let bound = "https://api.example.com";
        assert!(Origin::admits(bound, "https://api.example.com/v1"));
        assert!(Origin::admits(bound, "https://api.example.com:443/openai/v1"));
        for other in [
            "http://api.example.com/v1",
            "https://api.example.com:8443/v1",
            "https://api.example.com.evil.net/v1",
            "https://api.example.com@evil.net/v1",
            "https://evil.net/api.example.com",
            "api.example.com",
        ] {
            assert!(!Origin::admits(bound, other), "{other}");
        }
    }

    #[test]
    fn a_preset_knows_its_host() {
        assert_eq!(Origin::for_provider(ProviderId::Openai, None).unwrap().as_str(), "https://api.openai.com");
        assert_eq!(
            Origin::for_provider(ProviderId::Openai, Some("https://api.openai.com/v1")).unwrap().as_str(),
            "https://api.openai.com"
        );
        assert_eq!(Origin::for_provider(ProviderId::Openai, Some("https://evil.net/v1")), Err(OriginError::OtherHost));
        assert_eq!(Origin::for_provider(ProviderId::OpenaiCompatible, None), Err(OriginError::NotAUrl));
    }

    #[test]
    fn what_is_no_base_url_is_said() {
        assert_eq!(origin_of("example.com"), Err(OriginError::NotAUrl));
        assert_eq!(origin_of("file:///etc/passwd"), Err(OriginError::Scheme));
        assert_eq!(origin_of("https://u:p@example.com"), Err(OriginError::UserInfo));
        assert_eq!(origin_of("https://example.com/v1?key=1"), Err(OriginError::Extra));
    }
}
