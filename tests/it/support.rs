//! A portal of one's own for a test: a free port, a data folder that goes away, clients with tokens.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

use dyno::credentials::Secret;
use dyno::server::{PageRoutes, Portal, ServeArgs};
use dyno::state::AppState;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The administrator's token in tests.
pub const ADMIN_TOKEN: &str = "administrator-of-the-tests";

/// The pages' routes, made once for all portals of the process.
pub fn page_routes() -> PageRoutes {
    static ROUTES: LazyLock<PageRoutes> = LazyLock::new(PageRoutes::generate);
    ROUTES.clone()
}

/// A portal that serves until it is dropped or [`TestApp::stop`]ped. Its calls are the administrator's.
pub struct TestApp {
    /// The portal itself, to look inside.
    pub app: AppState,
    /// Requests in the administrator's name.
    pub admin: TestClient,
    dir: Option<TempDir>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

/// Requests in somebody's name.
#[derive(Clone)]
pub struct TestClient {
    /// Without redirects, so that tests see them.
    pub http: reqwest::Client,
    /// Where the portal is, without a slash at the end.
    pub url: String,
    /// Sent as bearer; none: nobody.
    pub token: Option<String>,
}

/// A status and a JSON body (`null` where there is none).
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub body: Value,
}

impl Answer {
    /// The body, if the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The names of the fields that a 422 complains of.
    #[track_caller]
    pub fn fields(self) -> Vec<String> {
        let body = self.expect(422);
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl TestApp {
    /// A new portal on an empty data folder.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A new portal, with other arguments than the usual.
    pub async fn with(change: impl FnOnce(&mut ServeArgs)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut app = Self::on(dir.path(), change).await;
        app.dir = Some(dir);
        app
    }

    /// A portal on a data folder that is there, after a restart say.
    pub async fn on(data_dir: &Path, change: impl FnOnce(&mut ServeArgs)) -> Self {
        // Fails only where another test has installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut args = ServeArgs {
            addr: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            data_dir: data_dir.to_owned(),
            admin_token: Some(Secret::new(ADMIN_TOKEN)),
            ..ServeArgs::default()
        };
        change(&mut args);
        let portal = Portal::open(args, page_routes()).await.unwrap();
        let url = format!("http://{}", portal.address());
        let app = portal.app().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            portal
                .run(async move {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let admin = TestClient { http, url, token: Some(ADMIN_TOKEN.to_owned()) };
        Self { app, admin, dir: None, stop: Some(stop), server: Some(server) }
    }

    /// Stops the portal and waits for its end; the data folder comes back if it is the portal's own.
    pub async fn stop(mut self) -> Option<TempDir> {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.await.unwrap();
        }
        self.dir.take()
    }

    /// Somebody who is not signed in.
    pub fn nobody(&self) -> TestClient {
        TestClient { token: None, ..self.admin.clone() }
    }

    /// A new member with a password (`password of NAME`) and a token.
    pub async fn member(&self, name: &str) -> TestClient {
        let invited = self.admin.post("/api/v1/users", &json!({ "name": name })).await.expect(201);
        let link = invited["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let password = Secret::new(format!("password of {name}"));
        let session = dyno::api::calls::account::accept_link(&self.app, &link, None, &password).await.unwrap();
        let token = dyno::api::calls::tokens::create(&self.app, &session.actor, "tests").await.unwrap();
        TestClient { token: Some(token.secret), ..self.admin.clone() }
    }
}

impl TestClient {
    /// A request to a path of the portal.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A form, as a browser without scripts posts it.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/html")
            .body(serde_urlencoded::to_string(fields).unwrap())
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }
}

/// Sends a request and reads the whole answer.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status();
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
        if bytes.is_empty() { Value::Null } else { Value::String(String::from_utf8_lossy(&bytes).into_owned()) }
    });
    Answer { status, content_type, body }
}
