//! Why a pod's answer did not come, or says no.

use http::StatusCode;

use super::is_passing;
use crate::protocol::{ErrorCode, PodRefusal};

/// Whatever a transport fails with.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

/// Most of another's answer that is repeated, characters.
const MOST_WORDS: usize = 300;

#[derive(Debug, thiserror::Error)]
pub enum PodClientError {
    #[error("The pod can't be reached: {0}.")]
    Transport(#[source] TransportError),
    /// A proxy on the way, or who has the pod's address by now.
    #[error("Not the pod answered, with status {status}: {words}")]
    NotThePod { status: StatusCode, words: String },
    #[error("{}", .1.message)]
    Refused(StatusCode, PodRefusal),
    #[error("The pod's answer is not understood: {0}.")]
    NotUnderstood(#[source] serde_json::Error),
    #[error("The pod's answer is not understood: its header {0} is missing or wrong.")]
    Header(&'static str),
    #[error("A file of the spool is longer than {0} bytes.")]
    TooLong(u64),
    #[error("A line of the spool is longer than {0} bytes.")]
    LongLine(u64),
}

impl PodClientError {
    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::NotThePod { status, .. } => is_passing(*status),
            Self::Refused(_, refusal) => refusal.error == ErrorCode::Busy,
            Self::NotUnderstood(_) | Self::Header(_) | Self::LongLine(_) | Self::TooLong(_) => false,
        }
    }

    /// Why the pod refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(_, refusal) => Some(refusal.error),
            _ => None,
        }
    }

    pub(super) fn not_the_pod(status: StatusCode, body: &[u8]) -> Self {
        Self::NotThePod { status, words: words(body) }
    }

    pub(super) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let unknown = || PodRefusal { error: ErrorCode::Unknown, message: words(body), offset: None };
        Self::Refused(status, serde_json::from_slice(body).unwrap_or_else(|_| unknown()))
    }
}

fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MOST_WORDS).collect()
}
