//! Multipart forms that no handler reads: the entries before the file are parsed, and the rest is drained, since browsers show
//! no answer before they have sent the whole body.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt;

/// Bytes of a body that are searched for fields, which come before the file.
const LOOKED_AT: usize = 256 * 1024;
/// Most bytes that are drained.
const MOST_DRAINED: u64 = 4 << 30;
/// Longest time of draining.
const LONGEST_DRAIN: Duration = Duration::from_mins(5);

/// Whether the headers announce a multipart form with its boundary.
pub async fn is_well_formed(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = kind.split_once("boundary=").map(|(_, rest)| rest.split(';').next().unwrap_or_default());
    let boundary = boundary.unwrap_or_default().trim().trim_matches('"');
    !boundary.is_empty() && form_of(headers, Bytes::new()).await.is_some()
}

/// The fields before the file; drains the body.
pub(super) async fn fields_then_drain(headers: &HeaderMap, body: Body) -> Vec<(String, String)> {
    let (beginning, rest) = beginning(body).await;
    let fields = fields(headers, beginning).await;
    drain(rest).await;
    fields
}

/// The beginning of a body, and the stream of its rest.
async fn beginning(body: Body) -> (Bytes, axum::body::BodyDataStream) {
    let mut stream = body.into_data_stream();
    let mut beginning = Vec::new();
    while beginning.len() < LOOKED_AT
        && let Some(Ok(piece)) = stream.next().await
    {
        let room = LOOKED_AT - beginning.len();
        beginning.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    (beginning.into(), stream)
}

async fn form_of(headers: &HeaderMap, body: Bytes) -> Option<Multipart> {
    let mut request = Request::new(Body::from(body));
    request.headers_mut().insert(header::CONTENT_TYPE, headers.get(header::CONTENT_TYPE)?.clone());
    Multipart::from_request(request, &()).await.ok()
}

async fn fields(headers: &HeaderMap, beginning: Bytes) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let Some(mut form) = form_of(headers, beginning).await else { return fields };
    while let Ok(Some(field)) = form.next_field().await {
        let name = field.name().unwrap_or_default().to_owned();
        // from the file on, the beginning may be cut off
        if field.file_name().is_some() {
            break;
        }
        let Ok(text) = field.text().await else { break };
        fields.push((name, text));
    }
    fields
}

async fn drain(mut rest: axum::body::BodyDataStream) {
    let reading = async {
        let mut passed = 0_u64;
        while let Some(Ok(piece)) = rest.next().await {
            passed += piece.len() as u64;
            if passed > MOST_DRAINED {
                break;
            }
        }
    };
    // a sender that exceeds the limits may miss the answer
    let _ = tokio::time::timeout(LONGEST_DRAIN, reading).await;
}
