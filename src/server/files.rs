//! Static files of the browser's half: program, styles, images.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use tower::ServiceExt;
use tower_http::services::ServeDir;

use super::headers::WORKER_POLICY;
use crate::state::AppState;

/// Serves a static file, pre-compressed where such a file exists.
pub(super) async fn serve(app: &AppState, request: Request) -> Response<Body> {
    let forever = has_hash(request.uri().path());
    let is_worker = app.what_if_program.as_deref() == Some(request.uri().path());
    let service =
        ServeDir::new(&app.config.site_root).precompressed_br().precompressed_gzip().append_index_html_on_directories(false);
    let mut response = match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    };
    if response.status() == StatusCode::OK || response.status() == StatusCode::NOT_MODIFIED {
        // a file with a hash in its name never changes; others are revalidated and answered with 304
        let value = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    if is_worker {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(WORKER_POLICY));
    }
    response
}

/// Whether a file's name has a hash in it: `dyno.1mOuv3fQ2xZ0aB9c.js`.
fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = name.split('.').collect();
    parts.len() >= 3
        && parts[1..parts.len() - 1].iter().any(|part| {
            part.len() >= 12
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && part.bytes().any(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_forever() {
        for path in ["/pkg/dyno.1mOuv3fQ2xZ0aB9c.js", "/pkg/dyno.0a4be2f5c9d3e881.js", "/pkg/dyno.0a4be2f5c9d3e881_bg.wasm"] {
            assert!(has_hash(path), "{path}");
        }
        for path in ["/pkg/dyno.js", "/pkg/dyno_bg.wasm", "/favicon.svg", "/pkg/dyno.development.js"] {
            assert!(!has_hash(path), "{path}");
        }
    }
}
