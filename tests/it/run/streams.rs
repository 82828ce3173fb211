//! Event streams end with the right to read them.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::world::Portal;
use crate::support::TestClient;

/// The stream of a run that goes on, once it has begun to tell.
async fn open_stream(
    client: &TestClient,
    run: &str,
) -> impl futures::Stream<Item = reqwest::Result<axum::body::Bytes>> + Unpin + use<> {
    let response = client.request(Method::GET, &format!("/api/v1/runs/{run}/events")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = Box::pin(response.bytes_stream());
    stream.next().await.unwrap().unwrap();
    stream
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let portal = Portal::start().await;
    let made = portal.client.post("/api/v1/tokens", &json!({ "name": "ci" })).await.expect(201);
    let client = TestClient { token: Some(made["token"].as_str().unwrap().to_owned()), ..portal.client.clone() };
    let run = portal.run(20, &["sleep", "600", "{port}"]).await;
    portal.pid(&run, "engine-0").await;
    let mut stream = open_stream(&client, &run).await;
    let deleted = portal.client.delete(&format!("/api/v1/tokens/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(deleted.status, 204);
    let to_the_end = async { while let Some(Ok(_)) = stream.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), to_the_end).await.expect("the stream ended");
    assert!(portal.look(&run).await["ended_at"].is_null(), "the run goes on");
    portal.cancel(&run).await;
    portal.end(&run).await;
}
