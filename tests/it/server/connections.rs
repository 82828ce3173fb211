//! Connections that say half of what they have to, and many of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::TestApp;

/// More than one peer may keep.
const MANY: usize = 700;

async fn half_a_head(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half").await.unwrap();
    stream
}

#[tokio::test]
async fn half_sent_heads_give_way_to_whole_ones() {
    let app = TestApp::start().await;
    let address = app.admin.url.strip_prefix("http://").unwrap().to_owned();
    let mut half = Vec::new();
    for _ in 0..MANY {
        half.push(half_a_head(&address).await);
    }
    let answer = tokio::time::timeout(Duration::from_secs(10), app.nobody().get("/healthz")).await.expect("it is answered");
    assert_eq!(answer.status, 200);
    // The oldest ones had to go.
    let mut byte = [0_u8; 1];
    let ended = tokio::time::timeout(Duration::from_secs(5), half[0].read(&mut byte)).await.expect("it was closed");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    drop(half);
    assert_eq!(app.nobody().get("/healthz").await.status, 200);
}
