//! Additional request headers. Plans are stored and shown, so a secret value is replaced by the name of the environment
//! variable that holds it.

use serde::{Deserialize, Serialize};

use crate::load::RequestHeader;

/// A header that is added to each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHeader {
    pub name: String,
    /// Its value; absent where `value_env` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The environment variable that holds the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_env: Option<String>,
}

/// Why a header can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is no colon. What stands there is not repeated: it may be a secret without its name.
    #[error("A header is written as 'Name: value'; one of these has no colon.")]
    Form,
    /// The name has invalid characters; what comes before them.
    #[error("The name of a header has letters, digits and hyphens; one has something else after {0:?}.")]
    Name(String),
    /// The client sets this header itself.
    #[error("The header {0} is set by the client.")]
    Own(String),
    /// The value is missing or has control characters.
    #[error("The value of the header {0} can't be sent.")]
    Value(String),
    /// The header usually holds a secret, which must not be in a plan or on a command line.
    #[error("The header {0} holds a secret: give the name of an environment variable, '{0}: $NAME'.")]
    Secret(String),
}

/// Headers that the client sets itself.
const OWN: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding", "x-request-id"];

impl From<&RequestHeader> for PlanHeader {
    fn from(header: &RequestHeader) -> Self {
        Self { name: header.name.clone(), value: Some(header.value.clone()), value_env: None }
    }
}

impl PlanHeader {
    /// Parses `Name: value`; a value `$NAME` names an environment variable.
    ///
    /// # Errors
    /// When it can't be sent, or would show a secret.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::Form)?;
        let (name, value) = (name.trim().to_owned(), value.trim());
        let variable = value.strip_prefix('$').filter(|variable| is_variable(variable));
        let header = match variable {
            Some(variable) => Self { name, value: None, value_env: Some(variable.to_owned()) },
            None => Self { name, value: Some(value.to_owned()), value_env: None },
        };
        header.check()?;
        Ok(header)
    }

    /// Checks what can be checked without the environment.
    ///
    /// # Errors
    /// When it can't be sent, or would show a secret.
    pub fn check(&self) -> Result<(), HeaderError> {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
        let name = self.name.split(|letter| !is_name(letter)).next().unwrap_or_default();
        if name.is_empty() || name != self.name {
            return Err(HeaderError::Name(name.chars().take(50).collect()));
        }
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(&self.name)) {
            return Err(HeaderError::Own(self.name.clone()));
        }
        match (&self.value, &self.value_env) {
            (Some(_), _) if is_secret(&self.name) => Err(HeaderError::Secret(self.name.clone())),
            (Some(value), None) if is_value(value) => Ok(()),
            (None, Some(variable)) if is_variable(variable) => Ok(()),
            _ => Err(HeaderError::Value(self.name.clone())),
        }
    }

    /// As a command-line argument.
    pub fn argument(&self) -> String {
        match (&self.value, &self.value_env) {
            (Some(value), _) => format!("{}: {value}", self.name),
            (None, variable) => format!("{}: ${}", self.name, variable.as_deref().unwrap_or_default()),
        }
    }

    /// The header line with its line end; `variable` reads the environment.
    ///
    /// # Errors
    /// When the variable is unset or its value can't be sent.
    pub fn line(&self, variable: impl Fn(&str) -> Option<String>) -> Result<String, HeaderError> {
        let value = match (&self.value, &self.value_env) {
            (Some(value), _) => Some(value.clone()),
            (None, Some(name)) => variable(name).map(|value| value.trim().to_owned()),
            (None, None) => None,
        };
        let value = value.filter(|value| is_value(value)).ok_or_else(|| HeaderError::Value(self.name.clone()))?;
        Ok(format!("{}: {value}\r\n", self.name))
    }
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte == b'\t' || byte >= 0x20 && byte != 0x7F)
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name.starts_with(|c: char| !c.is_ascii_digit())
}

/// Whether a header of this name usually holds a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "key", "token", "secret", "password", "cookie", "credential", "signature"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_written_and_sent() {
        let plain = PlanHeader::parse("X-Tenant:  a b ").unwrap();
        assert_eq!((plain.argument().as_str(), plain.line(|_| None).unwrap().as_str()), ("X-Tenant: a b", "X-Tenant: a b\r\n"));
        let secret = PlanHeader::parse("api-key: $MY_KEY").unwrap();
        assert_eq!((secret.value.as_deref(), secret.argument().as_str()), (None, "api-key: $MY_KEY"));
        assert_eq!(secret.line(|name| (name == "MY_KEY").then(|| "abc\n".to_owned())).unwrap(), "api-key: abc\r\n");
        for missing in [None, Some("a\r\nb: c".to_owned()), Some(String::new())] {
            assert!(secret.line(|_| missing.clone()).is_err(), "{missing:?}");
        }
    }

    #[test]
    fn what_can_not_be_sent_or_would_show_a_secret_is_refused() {
        for wrong in ["x", ": a", "a b: c", "host: h", "Content-Length: 3", "x: a\r\ny: b", "x:"] {
            assert!(PlanHeader::parse(wrong).is_err(), "{wrong:?}");
        }
        for secret in ["Authorization: Bearer abc", "x-api-key: abc", "Cookie: a=b", "X-Auth-Token: $"] {
            let error = PlanHeader::parse(secret).unwrap_err();
            assert!(matches!(error, HeaderError::Secret(_)) && !error.to_string().contains("abc"), "{secret}: {error}");
        }
    }
}
