//! Errors as users and scripts see them: RFC 9457 problem details, with a message per field for input errors.

use serde::{Deserialize, Serialize};

/// What went wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's name as in the request, `max_input_tokens` say.
    pub field: String,
    /// The workflow step (as the API numbers them) that the field belongs to; absent outside of workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    /// A sentence for people.
    pub message: String,
}

impl FieldError {
    /// An error at a field of a workflow step.
    pub fn at(step: u8, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), step: Some(step), message: message.into() }
    }

    /// An error at a field of any other request.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), step: None, message: message.into() }
    }
}

/// The kinds of problem; each has a stable `type` and one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab_case", const_into_str)]
pub enum ProblemKind {
    /// 400: the body is not what it claims to be (no JSON, say).
    BadRequest,
    /// 401: not signed in.
    Unauthorized,
    /// 403: signed in, but not allowed.
    Forbidden,
    /// 404: does not exist, or is another person's.
    NotFound,
    /// 409: someone else changed it, or its state forbids it.
    Conflict,
    /// 413: larger than the limit.
    TooLarge,
    /// 422: understood, but a value breaks a rule.
    InvalidInput,
    /// 429: too many tries.
    TooManyRequests,
    /// 500: our fault; the cause is in the log, not in the answer.
    Internal,
    /// 503: can't be done at present.
    Unavailable,
    /// 507: the disk is full.
    InsufficientStorage,
}

impl ProblemKind {
    /// The HTTP status code.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::InvalidInput => 422,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::InsufficientStorage => 507,
        }
    }
}

/// A problem, before it becomes an HTTP answer or an error on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    pub kind: ProblemKind,
    /// A sentence for people.
    pub detail: String,
    /// For input errors, what is wrong where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// For a revision conflict, the names of the fields that differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<String>>,
}

impl Problem {
    /// A problem of a kind, with its sentence.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), changed: None }
    }

    /// 404.
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("There is no such {what}."))
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Forbidden, detail)
    }

    /// 507.
    pub fn disk_full() -> Self {
        let detail =
            "The portal's disk is full, so nothing was saved. Free some space, or ask an administrator to, and try again.";
        Self::new(ProblemKind::InsufficientStorage, detail)
    }

    /// 422 with a message per field.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => only.message.clone(),
            _ => format!("{} fields need attention.", errors.len()),
        };
        Self { kind: ProblemKind::InvalidInput, detail, errors, changed: None }
    }

    /// 422 at one field outside of a workflow.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }
}
