//! `/credentials`

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use dyno::credentials::SealContext;
use dyno::domain::provider::ProviderId;
use serde_json::json;

use super::*;

const SECRET: &str = "sk-do-not-show-me";

/// A provider of our own: `/v1/models` answers with a status and a body that must not be shown.
async fn provider(status: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let answer = move |headers: HeaderMap| {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        keep.lock().unwrap().push(header);
        let status = StatusCode::from_u16(status).unwrap();
        async move { (status, [("location", "http://127.0.0.1:1/secret-place")], "body of the other side") }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/models", get(answer))).await });
    (base, seen)
}

impl House {
    async fn keep(&self, base_url: &str) -> String {
        let body = json!({"name": "k", "provider": "openai_compatible", "secret": SECRET, "base_url": base_url});
        let (status, credential) = self.post("credentials", body).await;
        assert_eq!(status, 201, "{credential}");
        assert!(!credential.to_string().contains(SECRET));
        credential["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let house = House::open().await.with_member().await;
    let id = house.keep("http://127.0.0.1:9/v1").await;
    let one = format!("credentials/{id}");
    for path in ["credentials", &one] {
        let (status, answer) = house.get(path).await;
        assert_eq!(status, 200);
        assert!(!answer.to_string().contains(SECRET) && answer.to_string().contains("http://127.0.0.1:9"), "{answer}");
    }
    // Not in any file of the portal's either.
    for entry in std::fs::read_dir(&house.app.config.data_dir).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{:?}", entry.path());
    }
    // Another person's does not exist.
    for (method, path) in [(Method::GET, one.clone()), (Method::DELETE, one.clone()), (Method::POST, format!("{one}/test"))] {
        assert_eq!(house.send(MEMBER, method, &path, None).await.0, 404);
    }
    assert_eq!(house.send(MEMBER, Method::GET, "credentials", None).await.1["total"], 0);
    assert_eq!(house.delete(&one).await, 204);
    assert_eq!(house.get(&one).await.0, 404);
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field() {
    let house = House::open().await;
    for (body, field) in [
        (json!({"name": "", "provider": "openai", "secret": "x"}), "name"),
        (json!({"name": "x", "provider": "openai", "secret": " "}), "secret"),
        (json!({"name": "x", "provider": "openai", "secret": "a b"}), "secret"),
        (json!({"name": "x", "provider": "aws", "secret": "x"}), "provider"),
        (json!({"name": "x", "provider": "azure_openai", "secret": "x"}), "base_url"),
        (json!({"name": "x", "provider": "openai", "secret": "x", "base_url": "https://evil.net"}), "base_url"),
        (json!({"name": "x", "provider": "openai"}), "secret"),
    ] {
        let (status, problem) = house.post("credentials", body.clone()).await;
        assert_eq!(status, 422, "{body}");
        assert_eq!(fields(&problem)[0].0, field, "{body}: {problem}");
    }
}

#[tokio::test]
async fn a_connection_is_tested_in_dynos_own_words() {
    let house = House::open().await;
    for (status, ok, class) in [
        (200, true, "ok"),
        (401, false, "unauthorized"),
        (429, false, "limited"),
        (302, false, "unexpected"),
        (500, false, "unexpected"),
    ] {
        let (base, seen) = provider(status).await;
        let id = house.keep(&base).await;
        let (code, test) = house.send(ADMIN, Method::POST, &format!("credentials/{id}/test"), None).await;
        assert_eq!(code, 200);
        assert_eq!((&test["ok"], &test["class"]), (&json!(ok), &json!(class)), "{test}");
        assert!(!test.to_string().contains("other side") && !test.to_string().contains("secret-place"), "{test}");
        assert_eq!(*seen.lock().unwrap(), [format!("Bearer {SECRET}")]);
    }
    let id = house.keep("http://127.0.0.1:1/v1").await;
    let (_, test) = house.send(ADMIN, Method::POST, &format!("credentials/{id}/test"), None).await;
    assert_eq!(test["class"], "unreachable");
    let id = house.keep(&format!("http://{}/v1", house.address)).await;
    let (_, test) = house.send(ADMIN, Method::POST, &format!("credentials/{id}/test"), None).await;
    assert_eq!(test["class"], "refused", "{test}");
}

#[tokio::test]
async fn with_several_users_nobody_reaches_the_portals_machine() {
    let house = House::open().await.with_member().await;
    let (base, seen) = provider(200).await;
    let id = house.keep(&base).await;
    let (_, test) = house.send(ADMIN, Method::POST, &format!("credentials/{id}/test"), None).await;
    assert_eq!(test["class"], "refused", "{test}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_is_bound_to_its_origin() {
    let house = House::open().await;
    let id = house.keep("http://127.0.0.1:8100/v1").await.parse().unwrap();
    let admin = house.app.store.first_administrator(Timestamp::now()).await.unwrap();
    let actor = Actor { id: admin.id, name: admin.name, role: admin.role };
    let secret = |provider, base: &'static str| house.app.secret_for(&actor, id, provider, base);
    assert_eq!(secret(ProviderId::OpenaiCompatible, "http://127.0.0.1:8100/other/v1").await.unwrap().expose(), SECRET);
    assert!(secret(ProviderId::OpenaiCompatible, "http://127.0.0.1:8101/v1").await.is_err());
    assert!(secret(ProviderId::OpenaiCompatible, "https://127.0.0.1:8100/v1").await.is_err());
    assert!(secret(ProviderId::Openai, "http://127.0.0.1:8100/v1").await.is_err());
}

/// What was sealed by an earlier version opens, and from the next start on only with the provider and the origin that it has.
#[tokio::test]
async fn a_secret_is_sealed_with_its_origin() {
    let house = House::open().await;
    let (new, old) = (house.keep("http://127.0.0.1:8100/v1").await, house.keep("http://127.0.0.1:8100/v1").await);
    let admin = house.app.store.first_administrator(Timestamp::now()).await.unwrap();
    let actor = Actor { id: admin.id, name: admin.name, role: admin.role };
    let (new, old) = (new.parse().unwrap(), old.parse().unwrap());
    let context = SealContext { table: "credentials", row: old, owner: actor.id, receiver: None };
    let sealed = house.app.vault.seal(context, &Secret::new(SECRET)).unwrap();
    house.app.store.seal_credential_anew(old, &sealed.key_id, &sealed.bytes).await.unwrap();
    house.app.store.close().await;

    let (config, options) = (house.app.config.clone(), house.app.leptos_options.clone());
    let app = dyno::state::AppState::open(config.clone(), options.clone()).await.unwrap();
    for id in [new, old] {
        let secret = app.secret_for(&actor, id, ProviderId::OpenaiCompatible, "http://127.0.0.1:8100/v1").await.unwrap();
        assert_eq!(secret.expose(), SECRET);
    }
    app.store.close().await;
    let pool = sqlx::SqlitePool::connect(&config.database_url).await.unwrap();
    sqlx::query("UPDATE credentials SET origin = 'http://127.0.0.1:9'").execute(&pool).await.unwrap();
    pool.close().await;
    let app = dyno::state::AppState::open(config, options).await.unwrap();
    for id in [new, old] {
        assert!(app.secret_for(&actor, id, ProviderId::OpenaiCompatible, "http://127.0.0.1:9/v1").await.is_err(), "{id}");
    }
}
