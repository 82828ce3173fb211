//! Leptos server functions: what pages ask for, and what their forms post to. Thin over `calls`.
//!
//! Every function names its `endpoint` (under `ui/`), never changes state in a GET, and answers [`CallError`]. A form's
//! function takes flat strings, each with `#[server(default)]`, so that a missing field is an input error and not a broken
//! request; it answers by a redirect, see [`forms`].

pub mod account;
pub mod benchmarks;
pub mod cluster_form;
pub mod clusters;
pub mod credentials;
pub mod datasets;
pub mod device_specifications;
pub mod drafts;
pub mod forms;
mod idempotency;
pub mod inventory;
pub mod lists;
pub mod models;
pub mod people;
pub mod predictions;
pub mod prices;
pub mod report;
pub mod runs;
pub mod try_it;
pub mod workflows;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::error::{FromServerFnError, ServerFnErrorErr};
use server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use strum::VariantArray as _;

pub use crate::domain::path::{local_path, query_escape};
use crate::domain::problem::{Problem, ProblemKind};

/// A problem, as a server function answers it. What the framework says of its own errors stays in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct CallError(pub Problem);

impl From<Problem> for CallError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// Problems on the wire between server and page. What answers before a function is reached (the auth layer, the guard against
/// other sites' forms) sends problem details as the API does; they are read as well.
pub struct ProblemEncoding;

impl ContentType for ProblemEncoding {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for ProblemEncoding {
    const FORMAT_TYPE: Format = Format::Text;
}

impl Encodes<CallError> for ProblemEncoding {
    type Error = serde_json::Error;

    fn encode(error: &CallError) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(error).map(Bytes::from)
    }
}

/// As much of RFC 9457 as a page shows.
#[derive(Deserialize)]
struct ProblemSummary {
    status: u16,
    detail: String,
}

impl Decodes<CallError> for ProblemEncoding {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<CallError, Self::Error> {
        serde_json::from_slice(&bytes).or_else(|error| {
            let details: ProblemSummary = serde_json::from_slice(&bytes).map_err(|_| error)?;
            let kind = ProblemKind::VARIANTS
                .iter()
                .find(|kind| kind.status() == details.status)
                .copied()
                .unwrap_or(ProblemKind::Internal);
            Ok(CallError(Problem::new(kind, details.detail)))
        })
    }
}

const REQUEST_UNREADABLE: &str = "The form was not understood. Reload the page and try again.";
const ANSWER_UNREADABLE: &str = "The portal's answer was not understood. Reload the page and try again.";

impl FromServerFnError for CallError {
    type Encoder = ProblemEncoding;

    fn de(answer: Bytes) -> Self {
        ProblemEncoding::decode(answer).unwrap_or_else(|_| Self(Problem::new(ProblemKind::Unavailable, ANSWER_UNREADABLE)))
    }

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let (kind, detail) = match error {
            ServerFnErrorErr::Request(_) => {
                (ProblemKind::Unavailable, "The portal did not answer. Check the connection and try again.")
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Serialization(_) => {
                (ProblemKind::BadRequest, REQUEST_UNREADABLE)
            }
            // On the server it is the request that could not be read.
            ServerFnErrorErr::Deserialization(_) if cfg!(feature = "ssr") => (ProblemKind::BadRequest, REQUEST_UNREADABLE),
            ServerFnErrorErr::Deserialization(_) | ServerFnErrorErr::Response(_) => (ProblemKind::Unavailable, ANSWER_UNREADABLE),
            ServerFnErrorErr::Registration(_)
            | ServerFnErrorErr::UnsupportedRequestMethod(_)
            | ServerFnErrorErr::ServerError(_)
            | ServerFnErrorErr::MiddlewareError(_) => {
                (ProblemKind::Internal, "Something failed inside of the portal; its log says what.")
            }
        };
        Self(Problem::new(kind, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framework_errors_say_nothing_of_the_inside() {
        let error = CallError::from_server_fn_error(ServerFnErrorErr::ServerError("secret path /var/lib/x".to_owned()));
        assert!(!error.to_string().contains("/var/lib/x"));
        assert_eq!(CallError::de(error.ser()), error);
    }

    #[test]
    fn problem_details_are_read_as_well() {
        let details = r#"{"type":"/problems/unauthorized","title":"Unauthorized","status":401,"detail":"Sign in."}"#;
        let error = CallError::de(Bytes::from_static(details.as_bytes()));
        assert_eq!(error.0, Problem::new(ProblemKind::Unauthorized, "Sign in."));
        assert_eq!(CallError::de(Bytes::from_static(b"no json")).0.kind, ProblemKind::Unavailable);
    }
}
