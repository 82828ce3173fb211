//! Who may ask, for how much, and what becomes of secrets.

use dyno_pod::Token;
use dyno_pod::client::{LoadPodClient, PodClientError, PodTransport as _};
use dyno_pod::protocol::{ErrorCode, LoadState, TOKEN_HEADER};
use http::{Method, Request, StatusCode};
use hyper::body::Bytes;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use super::started::{Bench, Plain, TOKEN, at, engine, quick_engine, start_by, until};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_without_the_token() {
    let (engine, bench) = (quick_engine(), Bench::new(10));
    let (process, pod) = bench.start();
    let stranger = LoadPodClient::new(Plain(process.address), Token::new(TOKEN.replace('f', "e")).unwrap());
    let refusals = [
        stranger.status().await.unwrap_err(),
        stranger.start(&at(&engine)).await.unwrap_err(),
        stranger.cancel(true).await.unwrap_err(),
        stranger.done().await.unwrap_err(),
        stranger.log_end(10).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code(), Some(ErrorCode::Unauthorized));
        assert!(matches!(&refusal, PodClientError::Refused(StatusCode::UNAUTHORIZED, _)) && !refusal.is_transient());
    }
    for (path, token) in [("/status", None), ("/nowhere", None), ("/status", Some(""))] {
        let mut request = Request::builder().method(Method::GET).uri(path);
        if let Some(token) = token {
            request = request.header(TOKEN_HEADER, token);
        }
        let answer = Plain(process.address).send(request.body(Bytes::new()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(pod.status().await.unwrap().state, LoadState::Waiting);
}

/// Another pod of the cluster can hold connections open, but not all of them.
#[tokio::test(flavor = "multi_thread")]
async fn half_sent_heads_of_one_address_leave_room_for_others() {
    let bench = Bench::new(10);
    let (process, pod) = bench.start();
    let mut held = Vec::new();
    for _ in 0..300 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        let mut stream = socket.connect(process.address).await.unwrap();
        // those beyond the limit are closed already
        let _ = stream.write_all(b"GET /status HTTP/1.1\r\nhost: pod\r\n").await;
        held.push(stream);
    }
    assert_eq!(pod.status().await.unwrap().state, LoadState::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded() {
    let bench = Bench::new(10);
    let (process, pod) = bench.start();
    let body = Bytes::from(vec![b' '; 1 << 20]);
    let request = Request::put("/start").header(TOKEN_HEADER, TOKEN).header("content-type", "application/json");
    // It may be refused before all of it was sent.
    if let Ok(answer) = Plain(process.address).send(request.body(body).unwrap()).await {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(pod.status().await.unwrap().state, LoadState::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_has_its_key_and_not_the_pods_token() {
    let (engine, mut bench) = (engine(20, 1), Bench::new(100_000));
    bench.plan["auth"] = json!({ "header": "bearer", "api_key_env": "DYNO_LOAD_SECRET" });
    let (process, pod) = start_by(bench.command().env("DYNO_LOAD_SECRET", "canary-of-the-provider"));
    pod.start(&at(&engine)).await.unwrap();
    let load = until("the load", async || process.children().first().copied()).await;
    bench.wait_for_records(1).await;
    let environment = format!("{:?}", procfs::process::Process::new(load).unwrap().environ().unwrap());
    assert!(environment.contains("canary-of-the-provider") && !environment.contains(TOKEN));
    pod.cancel(true).await.unwrap();
    for file in std::fs::read_dir(bench.spool("")).unwrap().flatten() {
        let text = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap_or_default()).into_owned();
        assert!(!text.contains("canary-of-the-provider") && !text.contains(TOKEN), "{:?}", file.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_token_does_not_serve() {
    let bench = Bench::new(1);
    for token in ["", "short"] {
        let output = bench.command().env("DYNO_POD_TOKEN", token).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
