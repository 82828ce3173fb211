//! Presets of cloud providers with an OpenAI-compatible API.

use serde::{Deserialize, Serialize};

use dyno_measure::plan::{AuthHeader, TokenLimitField};

/// A preset's id; part of the HTTP contract.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ProviderId {
    Openai,
    AzureOpenai,
    Anthropic,
    Together,
    Fireworks,
    Mistral,
    Groq,
    Deepseek,
    Xai,
    OpenaiCompatible,
}

/// The preset of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    pub id: ProviderId,
    pub title: &'static str,
    /// Its base URL, unless each customer has another.
    pub base_url: Option<&'static str>,
    pub auth: AuthHeader,
    /// The name of the field that limits the output.
    pub token_limit: TokenLimitField,
    /// Whether a credential must be given.
    pub needs_credential: bool,
}

/// All presets, in the order of lists.
pub const PROVIDERS: [Provider; 10] = [
    preset(ProviderId::Openai, "OpenAI", Some("https://api.openai.com/v1"), TokenLimitField::MaxCompletionTokens),
    Provider {
        id: ProviderId::AzureOpenai,
        title: "Azure OpenAI",
        base_url: None,
        auth: AuthHeader::ApiKey,
        token_limit: TokenLimitField::MaxCompletionTokens,
        needs_credential: true,
    },
    preset(ProviderId::Anthropic, "Anthropic", Some("https://api.anthropic.com/v1"), TokenLimitField::MaxTokens),
    preset(ProviderId::Together, "Together AI", Some("https://api.together.xyz/v1"), TokenLimitField::MaxTokens),
    preset(ProviderId::Fireworks, "Fireworks AI", Some("https://api.fireworks.ai/inference/v1"), TokenLimitField::MaxTokens),
    preset(ProviderId::Mistral, "Mistral AI", Some("https://api.mistral.ai/v1"), TokenLimitField::MaxTokens),
    preset(ProviderId::Groq, "Groq", Some("https://api.groq.com/openai/v1"), TokenLimitField::MaxCompletionTokens),
    preset(ProviderId::Deepseek, "DeepSeek", Some("https://api.deepseek.com/v1"), TokenLimitField::MaxTokens),
    preset(ProviderId::Xai, "xAI", Some("https://api.x.ai/v1"), TokenLimitField::MaxCompletionTokens),
    Provider {
        id: ProviderId::OpenaiCompatible,
        title: "Other, OpenAI-compatible",
        base_url: None,
        auth: AuthHeader::Bearer,
        token_limit: TokenLimitField::MaxTokens,
        needs_credential: false,
    },
];

const fn preset(id: ProviderId, title: &'static str, base_url: Option<&'static str>, token_limit: TokenLimitField) -> Provider {
    Provider { id, title, base_url, auth: AuthHeader::Bearer, token_limit, needs_credential: true }
}

impl ProviderId {
    pub fn preset(self) -> &'static Provider {
        &PROVIDERS[self as usize]
    }
}

/// How a test of a connection went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConnectionClass {
    Ok,
    /// The server did not accept the credential.
    Unauthorized,
    /// The server limits requests at present.
    Limited,
    /// No connection, or none in time.
    Unreachable,
    /// Dyno does not send requests to that address.
    Refused,
    /// The server answered with something else.
    Unexpected,
}

/// The answer of "test connection": a class and a sentence, nothing of the other side's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ConnectionTest {
    pub ok: bool,
    pub class: ConnectionClass,
    /// A sentence for people.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_stand_at_their_ids() {
        for provider in &PROVIDERS {
            assert_eq!(provider.id.preset().id, provider.id);
            assert_eq!(provider.id.into_str().parse(), Ok(provider.id));
        }
    }
}
