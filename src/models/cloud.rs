//! Base URLs of cloud models.

use crate::credentials::{OriginError, parse_base};
use crate::domain::provider::ProviderId;
use dyno_measure::address::without_call;

/// Why a base URL is refused, for the same reasons as a credential's origin.
pub type CloudError = OriginError;

/// The base URL of a cloud model: the preset's if it has one, else the one entered, without a trailing slash and with `/v1`
/// where it has no path.
pub fn normalised_base_url(provider: ProviderId, typed: Option<&str>) -> Result<String, CloudError> {
    let typed = typed.map(str::trim).filter(|typed| !typed.is_empty());
    match (provider.preset().base_url, typed) {
        (Some(fixed), None) => Ok(fixed.to_owned()),
        (None, None) => Err(OriginError::NotAUrl),
        (Some(fixed), Some(typed)) => {
            let same_host = parse_base(fixed)?.origin() == parse_base(typed)?.origin();
            if same_host { with_path(typed) } else { Err(OriginError::OtherHost) }
        }
        (None, Some(typed)) => with_path(typed),
    }
}

fn with_path(typed: &str) -> Result<String, CloudError> {
    let url = parse_base(typed)?;
    let text = without_call(url.as_str());
    let no_path = url.path().trim_matches('/').is_empty();
    Ok(if no_path { format!("{text}/v1") } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(typed: &str) -> Result<String, CloudError> {
        normalised_base_url(ProviderId::OpenaiCompatible, Some(typed))
    }

    #[test]
    fn a_base_url_without_a_path_gets_one() {
        assert_eq!(other("http://127.0.0.1:8100").unwrap(), "http://127.0.0.1:8100/v1");
        assert_eq!(other("http://127.0.0.1:8100/").unwrap(), "http://127.0.0.1:8100/v1");
        assert_eq!(other(" http://127.0.0.1:8100/v1/ ").unwrap(), "http://127.0.0.1:8100/v1");
        assert_eq!(other("https://host/openai/v1").unwrap(), "https://host/openai/v1");
    }

    #[test]
    fn the_url_of_a_call_is_cut() {
        assert_eq!(other("https://host/v1/chat/completions").unwrap(), "https://host/v1");
        assert_eq!(other("https://host/v1/embeddings/").unwrap(), "https://host/v1");
        let groq = normalised_base_url(ProviderId::Groq, Some("https://api.groq.com/openai/v1/chat/completions"));
        assert_eq!(groq.unwrap(), "https://api.groq.com/openai/v1");
    }

    #[test]
    fn a_preset_is_reached_at_its_own_host() {
        assert_eq!(normalised_base_url(ProviderId::Groq, None).unwrap(), "https://api.groq.com/openai/v1");
        assert_eq!(normalised_base_url(ProviderId::Groq, Some("")).unwrap(), "https://api.groq.com/openai/v1");
        assert_eq!(normalised_base_url(ProviderId::Groq, Some("https://evil.net/v1")), Err(OriginError::OtherHost));
        assert_eq!(normalised_base_url(ProviderId::AzureOpenai, None), Err(OriginError::NotAUrl));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in ["", "x", "ftp://host/v1", "http://", "http://u:p@h/", "http://h/?a=1"] {
            assert!(other(bad).is_err(), "{bad}");
        }
    }
}
