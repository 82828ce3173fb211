//! Extractors that answer with a problem where axum's own would answer with plain text: 400 for a body that is no JSON,
//! 422 with the field for one of the wrong shape.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::json_objects::JsonObjects;
use super::json_size::{self, JsonSizeError};
use super::json_value::{self, JsonValueError};
use crate::domain::problem::{Problem, ProblemKind};
use dyno_measure::json_error;

/// Characters of a field's path that are repeated: it has names that the sender chose.
const MOST_PATH: usize = 100;

/// A JSON body; also the answer of a handler.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// The path's parameters. One that does not parse names nothing that exists, so it is a 404.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
            413 => Problem::new(ProblemKind::TooLarge, "The body is larger than the limit."),
            _ => Problem::new(ProblemKind::BadRequest, "The body could not be read."),
        })?;
        from_json(&bytes).map(Self)
    }
}

impl<T: serde::Serialize> axum::response::IntoResponse for Json<T> {
    fn into_response(self) -> axum::response::Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        from_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(ProblemKind::NotFound, "There is nothing at this address.")),
        }
    }
}

/// Reads a body: first as JSON at all, then as what is wanted, which is an object for every call.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let no_json = |error: serde_json::Error| Problem::new(ProblemKind::BadRequest, format!("The body is no JSON: {error}."));
    json_size::check(bytes).map_err(|error| match error {
        JsonSizeError::NoJson(error) => no_json(error),
        JsonSizeError::TooManyValues => Problem::new(ProblemKind::TooLarge, "The body has more values than any call takes."),
    })?;
    let value = json_value::read(bytes).map_err(|error| match error {
        JsonValueError::NoJson(error) => no_json(error),
        JsonValueError::Twice(path) => {
            let path = shown(&path);
            Problem::field(&path, format!("{path} is given twice."))
        }
    })?;
    if !value.is_object() {
        return Err(Problem::field("body", "The body must be a JSON object."));
    }
    serde_path_to_error::deserialize(JsonObjects(value)).map_err(|error| {
        let path = error.path().to_string();
        wrong_shape(&path, &error.into_inner().to_string())
    })
}

/// Reads a query string.
pub fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        wrong_shape(&path, &error.into_inner().to_string())
    })
}

/// A problem at the field that the error is about, without the field's value, which may be a secret. What serde says of a missing
/// or unknown field names it within the sentence rather than in the path.
fn wrong_shape(path: &str, message: &str) -> Problem {
    let quoted = |start: &str| message.strip_prefix(start).and_then(|rest| rest.split('`').next()).map(shown);
    let path = shown(path);
    if let Some(field) = quoted("missing field `") {
        return Problem::field(join(&path, &field), format!("{field} is missing."));
    }
    if let Some(field) = quoted("unknown field `") {
        // The path ends with the unknown field itself.
        let path = if path.is_empty() || path == "." { &field } else { &path };
        return Problem::field(path, format!("{field} is not a known field."));
    }
    let field = if path == "." { "body" } else { &path };
    Problem::field(field, format!("{field} can't be read: {}.", json_error::without_value(message)))
}

/// As much of a name as is repeated.
fn shown(name: &str) -> String {
    name.chars().take(MOST_PATH).collect()
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() || path == "." { field.to_owned() } else { format!("{path}.{field}") }
}

#[cfg(test)]
mod tests {
    use crate::domain::list::ListQuery;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    struct Asked {
        name: String,
        #[serde(default)]
        count: u32,
        #[serde(default)]
        within: Option<Within>,
        #[serde(default)]
        list: Vec<Within>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only the errors are looked at")]
    struct Within {
        name: String,
    }

    fn field_of(problem: &Problem) -> Option<&str> {
        problem.errors.first().map(|error| error.field.as_str())
    }

    #[test]
    fn no_json_is_a_bad_request() {
        let problem = from_json::<Asked>(b"name=x").unwrap_err();
        assert_eq!(problem.kind, ProblemKind::BadRequest);
    }

    #[test]
    fn a_body_of_many_small_values_is_not_kept() {
        let problem = from_json::<serde_json::Value>(format!("[{}0]", "{\"\":0},".repeat(200_000)).as_bytes()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::TooLarge);
    }

    #[test]
    fn a_wrong_shape_names_its_field() {
        for (body, field) in [
            (r#"{"name": 7}"#, "name"),
            (r#"{"count": 7}"#, "name"),
            (r#"{"name": "x", "count": -1}"#, "count"),
            (r#"{"name": "x", "colour": 1}"#, "colour"),
            ("[]", "body"),
            (r#"["x", 1]"#, "body"),
            ("null", "body"),
            (r#"{"name": "x", "within": ["y"]}"#, "within"),
            (r#"{"name": "x", "list": [{"name": "y"}, ["z"]]}"#, "list[1]"),
        ] {
            let problem = from_json::<Asked>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::InvalidInput, "{body}");
            assert_eq!(field_of(&problem), Some(field), "{body}: {problem:?}");
            assert!(!problem.detail.contains("struct"), "{problem:?}");
        }
        from_json::<Asked>(br#"{"name": "x", "within": {"name": "y"}, "list": [{"name": "z"}]}"#).unwrap();
        from_json::<Asked>(br#"{"name": "x", "within": null, "list": []}"#).unwrap();
    }

    #[test]
    fn a_query_names_its_field() {
        let query: ListQuery = from_query("search=a%20b&page=2").unwrap();
        assert_eq!((query.search.as_deref(), query.page), (Some("a b"), Some(2)));
        assert_eq!(field_of(&from_query::<ListQuery>("page=two").unwrap_err()), Some("page"));
        assert_eq!(field_of(&from_query::<ListQuery>("colour=red").unwrap_err()), Some("colour"));
    }
}
