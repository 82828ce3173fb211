//! The inventory over HTTP: clusters, engines, models, datasets, credentials.

mod clusters;
mod credentials;
mod datasets;
mod kubernetes;
mod models;
mod pages;
mod try_it;

use std::net::SocketAddr;

use dyno::auth::digest;
use dyno::credentials::Secret;
use dyno::domain::user::{Actor, Role};
use dyno::server::{Portal, ServeArgs};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::page_routes;

const ADMIN: &str = "token-of-the-first-administrator";
const MEMBER: &str = "token-of-a-second-person";

/// A portal on a free port with a data folder of its own.
struct House {
    address: SocketAddr,
    folder: tempfile::TempDir,
    app: dyno::state::AppState,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let args = ServeArgs {
            addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            data_dir: folder.path().join("data"),
            admin_token: Some(Secret::new(ADMIN)),
            ..ServeArgs::default()
        };
        let portal = Portal::open(args, page_routes()).await.unwrap();
        let (address, app) = (portal.address(), portal.app().clone());
        app.store.first_administrator(Timestamp::now()).await.unwrap();
        tokio::spawn(portal.run(std::future::pending()));
        Self { address, folder, app }
    }

    /// A second person, with a token.
    async fn with_member(self) -> Self {
        let store = &self.app.store;
        let user = store.create_user("second", Role::Member, Timestamp::now()).await.unwrap();
        let actor = Actor { id: user.id, name: user.name, role: user.role };
        store.create_token(&actor, "test", &digest(MEMBER), Timestamp::now()).await.unwrap();
        self
    }

    fn request(&self, token: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}/api/v1/{path}", self.address);
        client().request(method, url).bearer_auth(token)
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.request(token, method, path);
        answer(if let Some(body) = body { request.json(&body) } else { request }).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(ADMIN, Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(ADMIN, Method::POST, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(ADMIN, Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> StatusCode {
        self.send(ADMIN, Method::DELETE, path, None).await.0
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    let body =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")) };
    (status, body)
}

/// The fields that an answer complains about, with the first message.
fn fields(problem: &Value) -> Vec<(&str, &str)> {
    let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| (error["field"].as_str().unwrap(), error["message"].as_str().unwrap())).collect()
}
