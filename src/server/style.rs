//! The style sheet: the files of `style/`, concatenated and compiled into the program, without a build step.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// Where the sheet is served.
pub(super) const PATH: &str = "/style.css";

/// The files in their order.
const FILES: [(&str, &str); 5] = [
    ("main.css", include_str!("../../style/main.css")),
    ("charts.css", include_str!("../../style/charts.css")),
    ("inventory.css", include_str!("../../style/inventory.css")),
    ("report.css", include_str!("../../style/report.css")),
    ("live.css", include_str!("../../style/live.css")),
];

static SHEET: LazyLock<String> = LazyLock::new(|| FILES.iter().map(|(_, text)| *text).collect());

/// The address that pages link to: it changes with the content, so that browsers may cache the sheet.
pub(super) fn address() -> String {
    let digest = crate::auth::digest(&SHEET);
    let version: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PATH}?v={version}")
}

/// Serves the sheet. A debug build reads the files each time, so that a change shows on reload.
pub(super) async fn serve() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    let (sheet, caching) = if cfg!(debug_assertions) {
        (Cow::Owned(from_disk().await), "no-cache")
    } else {
        (Cow::Borrowed(SHEET.as_str()), "public, max-age=31536000, immutable")
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    (headers, sheet).into_response()
}

async fn from_disk() -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("style");
    let mut sheet = String::new();
    for (name, _) in FILES {
        match tokio::fs::read_to_string(folder.join(name)).await {
            Ok(text) => sheet.push_str(&text),
            Err(_) => return SHEET.clone(),
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_sheet_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("style");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(super::FILES.iter().any(|(served, _)| *served == name), "{name} is not in the sheet");
        }
    }
}
