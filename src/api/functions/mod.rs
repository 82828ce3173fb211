//! Leptos server functions: what pages ask for, and what their forms post to. Thin over `calls`.
//!
//! Every function names its `endpoint` (under `ui/`), never changes state in a GET, and answers [`CallError`]. A form's
//! function takes flat strings, each with `#[server(default)]`, so that a missing field is an input error and not a broken
//! request; it answers by a redirect, see [`forms`].

pub mod account;
pub mod benchmarks;
#[cfg(feature = "ssr")]
mod clicks;
pub mod clusters;
pub mod credentials;
pub mod datasets;
pub mod drafts;
pub mod forms;
pub mod inventory;
pub mod lists;
pub mod models;
#[cfg(feature = "ssr")]
mod once;
pub mod people;
pub mod report;
pub mod runs;
pub mod try_it;
pub mod workflows;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::error::{FromServerFnError, ServerFnErrorErr};
use server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};

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

/// Problems on the wire between server and page. What answers before a function is reached (the gate, the guard against
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
struct Details {
    status: u16,
    detail: String,
}

impl Decodes<CallError> for ProblemEncoding {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<CallError, Self::Error> {
        serde_json::from_slice(&bytes).or_else(|error| {
            let details: Details = serde_json::from_slice(&bytes).map_err(|_| error)?;
            let kind = ProblemKind::ALL.into_iter().find(|kind| kind.status() == details.status).unwrap_or(ProblemKind::Internal);
            Ok(CallError(Problem::new(kind, details.detail)))
        })
    }
}

impl FromServerFnError for CallError {
    type Encoder = ProblemEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let (kind, detail) = match error {
            ServerFnErrorErr::Request(_) => {
                (ProblemKind::Unavailable, "The portal did not answer. Check the connection and try again.")
            }
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Serialization(_) => {
                (ProblemKind::BadRequest, "The form was not understood. Reload the page and try again.")
            }
            ServerFnErrorErr::Deserialization(_) | ServerFnErrorErr::Response(_) => {
                (ProblemKind::Unavailable, "The portal's answer was not understood. Reload the page and try again.")
            }
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

/// A text as part of a query string.
pub fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => escaped.push(char::from(byte)),
            _ => {
                escaped.push('%');
                for half in [byte >> 4, byte & 15] {
                    escaped.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
    escaped
}

/// A path of this portal, as it may be redirected to; anything else becomes the first page.
pub fn local_path(path: &str) -> String {
    let is_local = path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_local { path.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_redirected_to() {
        for path in ["/", "/runs/1/report?x=1#y", "/wizard/1/load"] {
            assert_eq!(local_path(path), path);
        }
        for path in ["", "//evil.example", "/\\evil.example", "https://evil.example", "runs", "/a b", "/a\r\nSet-Cookie: x", "/ä"]
        {
            assert_eq!(local_path(path), "/", "{path}");
        }
    }

    #[test]
    fn queries_are_escaped() {
        assert_eq!(query_escape("/runs?a=b c"), "/runs%3Fa%3Db%20c");
        assert_eq!(query_escape("ä"), "%C3%A4");
    }

    #[test]
    fn framework_errors_say_nothing_of_the_inside() {
        let error = CallError::from_server_fn_error(ServerFnErrorErr::ServerError("secret path /var/lib/x".to_owned()));
        assert!(!error.to_string().contains("/root"));
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
