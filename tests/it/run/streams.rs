//! Event streams end with the right to read them.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::world::Portal;
use crate::support::TestClient;

/// A stream of a run that goes on, once it has begun to tell.
async fn open_stream(
    client: &TestClient,
    path: &str,
) -> impl futures::Stream<Item = reqwest::Result<axum::body::Bytes>> + Unpin + use<> {
    let response = client.request(Method::GET, path).send().await.unwrap();
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
    let events = open_stream(&client, &format!("/api/v1/runs/{run}/events")).await;
    let page = open_stream(&client, &format!("/api/ui/runs/{run}/live")).await;
    let deleted = portal.client.delete(&format!("/api/v1/tokens/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(deleted.status, 204);
    for mut stream in [events, page] {
        let to_the_end = async { while let Some(Ok(_)) = stream.next().await {} };
        tokio::time::timeout(Duration::from_secs(10), to_the_end).await.expect("the stream ended");
    }
    assert!(portal.look(&run).await["ended_at"].is_null(), "the run goes on");
    portal.cancel(&run).await;
    portal.end(&run).await;
}

#[tokio::test]
async fn an_open_stream_is_not_in_the_way_of_stopping() {
    let mut portal = Portal::start().await;
    let run = portal.run(20, &["sleep", "600", "{port}"]).await;
    portal.pid(&run, "engine-0").await;
    let client = portal.client.clone();
    let events = open_stream(&client, &format!("/api/v1/runs/{run}/events")).await;
    let page = open_stream(&client, &format!("/api/ui/runs/{run}/live")).await;
    let said = portal.terminate();
    assert!(said.contains("Stopping.") && !said.contains("did not end in time"), "{said}");
    for mut stream in [events, page] {
        while let Some(Ok(_)) = stream.next().await {}
    }
    portal.start_again().await;
    portal.cancel(&run).await;
    portal.end(&run).await;
}

/// All that a stream says, once it has ended by itself.
async fn whole(client: &TestClient, path: &str) -> String {
    let response = client.request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    tokio::time::timeout(Duration::from_secs(20), response.text()).await.expect("the stream ended").unwrap()
}

#[tokio::test]
async fn the_live_stream_of_an_ended_run_ends() {
    let portal = Portal::start().await;
    let run = portal.run(20, &["sh", "-c", "echo over soon; exit 3", "{port}"]).await;
    portal.end(&run).await;
    let live = format!("/api/ui/runs/{run}/live");
    let said = whole(&portal.client, &live).await;
    let events: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((events.first(), events.last()), (Some(&"part"), Some(&"end")), "{said}");
    assert_eq!(events.iter().filter(|event| **event == "end").count(), 1, "{said}");
    assert!(said.contains("log-line") && said.contains("over soon"), "its log is there: {said}");
    // Whoever has seen all of it is told of the end, too.
    let last = said.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    let again = whole(&portal.client, &format!("{live}?after={last}")).await;
    assert!(again.contains("event: end") && !again.contains("log-line"), "{again}");
}
