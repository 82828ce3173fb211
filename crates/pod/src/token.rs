//! The secret by which a pod knows its portal.

use subtle::ConstantTimeEq as _;

/// Shortest token, characters: 32 hexadecimal digits are 128 bits.
const SHORTEST: usize = 32;

/// A pod's access token, random per run.
#[derive(Clone)]
pub struct Token(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("The environment variable {0} holds no token.")]
    NotSet(String),
    #[error("A pod's token must have at least {SHORTEST} characters.")]
    TooShort,
    #[error("A pod's token must consist of visible ASCII characters.")]
    NotVisible,
}

impl Token {
    pub fn new(text: impl Into<String>) -> Result<Self, TokenError> {
        let text = text.into();
        if text.len() < SHORTEST {
            return Err(TokenError::TooShort);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotVisible);
        }
        Ok(Self(text))
    }

    pub(crate) fn from_environment(name: &str) -> Result<Self, TokenError> {
        Self::new(std::env::var(name).map_err(|_| TokenError::NotSet(name.to_owned()))?)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Takes as long whichever characters differ.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_taken() {
        let text = "0123456789abcdef0123456789abcdef";
        let token = Token::new(text).unwrap();
        assert!(token.is(text.as_bytes()));
        for other in [&text[1..], &text.replace('f', "e"), &format!("{text}0"), ""] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "Token");
        assert_eq!(Token::new("short").unwrap_err(), TokenError::TooShort);
        assert_eq!(Token::new(text.replace('0', "\n")).unwrap_err(), TokenError::NotVisible);
    }
}
