//! A connection to one API server as one user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tokio::sync::{Mutex, Semaphore};

use crate::api_error::{ApiError, words_of};
use crate::permissions::Rule;
use crate::redaction::{self, redactor_of};
use crate::response_limits::LimitLayer;
use crate::words::shortened;
use dyno_measure::redactor::Redactor;

/// Until the API server has taken a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Until it has answered.
const ANSWER: Duration = Duration::from_secs(20);
/// Portions of lists that are read at once: each is in memory as text and as what is read of it.
const LISTS_AT_ONCE: usize = 2;

/// What the exporters of a cluster answered, by the names of their nodes.
pub type ExporterAnswers = Arc<Vec<(String, String)>>;

/// Answers that are fresh enough for a page.
type KeptAnswers = Arc<Mutex<Option<(Instant, ExporterAnswers)>>>;

/// Speaks to one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    answers: KeptAnswers,
    lists: Arc<Semaphore>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// With a kubeconfig as [`crate::check`] made it. Nothing is sent yet.
    ///
    /// # Errors
    /// When a certificate or a key in it is broken.
    pub async fn with_kubeconfig(kubeconfig: &str) -> Result<Self, ApiError> {
        let read =
            serde_json::from_str::<Kubeconfig>(kubeconfig).map_err(|_| ApiError::Kubeconfig("it is damaged".to_owned()))?;
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
            .await
            .map_err(|error| ApiError::Kubeconfig(words_of(&error)))?;
        Self::with(config, redactor_of(kubeconfig))
    }

    /// As the service account of the pod that the portal runs in.
    ///
    /// # Errors
    /// When the portal does not run in a pod.
    pub fn in_cluster() -> Result<Self, ApiError> {
        Self::with(Config::incluster().map_err(|_| ApiError::NotInCluster)?, Redactor::default())
    }

    fn with(mut config: Config, credentials: Redactor) -> Result<Self, ApiError> {
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.write_timeout = Some(ANSWER);
        // The environment of the portal may name one; a cluster's address is reached directly.
        config.proxy_url = None;
        let builder = ClientBuilder::try_from(config).map_err(|error| ApiError::Kubeconfig(words_of(&error)))?;
        let client = builder.with_layer(&LimitLayer).with_layer(&redaction::layer(credentials)).build();
        Ok(Self { client, answers: KeptAnswers::default(), lists: Arc::new(Semaphore::new(LISTS_AT_ONCE)) })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Held while a portion of a list is read.
    pub(crate) fn lists(&self) -> &Semaphore {
        &self.lists
    }

    pub(crate) fn kept_answers(&self) -> &KeptAnswers {
        &self.answers
    }

    /// The API server's version, such as `v1.33.4`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, ApiError> {
        Ok(shortened(&self.client.apiserver_version().await?.git_version))
    }

    /// The user's name, as the API server knows it; absent where it does not tell, or tells one that can't be shown as it is.
    ///
    /// # Errors
    /// When it does not answer, or is older than Kubernetes 1.28.
    pub async fn user(&self) -> Result<Option<String>, ApiError> {
        let reviews = Api::<SelfSubjectReview>::all(self.client.clone());
        let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        Ok(user.filter(|name| !name.is_empty() && shortened(name) == *name))
    }

    /// Those of the rules that the user does not have.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn missing(&self, rules: &[Rule]) -> Result<Vec<Rule>, ApiError> {
        let reviews = Api::<SelfSubjectAccessReview>::all(self.client.clone());
        let asked = rules.iter().flat_map(|rule| rule.verbs.iter().map(move |verb| (rule, *verb)));
        let answers = join_all(asked.map(async |(rule, verb)| {
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(ResourceAttributes {
                        group: Some(rule.group.to_owned()),
                        resource: Some(rule.resource.split('/').next().unwrap_or_default().to_owned()),
                        subresource: rule.resource.split_once('/').map(|(_, subresource)| subresource.to_owned()),
                        namespace: rule.namespace.clone(),
                        verb: Some(verb.to_owned()),
                        ..ResourceAttributes::default()
                    }),
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            let allowed = reviews.create(&PostParams::default(), &review).await?.status.is_some_and(|status| status.allowed);
            Ok::<_, ApiError>((rule, verb, allowed))
        }))
        .await;
        let mut missing: Vec<Rule> = Vec::new();
        for answer in answers {
            let (rule, verb, allowed) = answer?;
            if allowed {
                continue;
            }
            match missing.last_mut().filter(|last| last.same_object(rule)) {
                Some(last) => last.verbs.push(verb),
                None => missing.push(Rule { verbs: vec![verb], ..rule.clone() }),
            }
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// What the version is taken to be by an answer of whoever is at a cluster's address, to a request that came with this token.
    async fn version_answered(token: &str, status: u16, body: &str) -> Result<String, ApiError> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let kubeconfig = serde_json::json!({
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "k",
        });
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(head).unwrap()
        });
        let connection = Connection::with_kubeconfig(&kubeconfig.to_string()).await.unwrap();
        let version = connection.version().await;
        assert!(server.join().unwrap().contains(token), "it was sent");
        version
    }

    async fn answered(token: &str, status: u16, body: &str) -> ApiError {
        version_answered(token, status, body).await.unwrap_err()
    }

    #[tokio::test]
    async fn the_version_is_one_short_line() {
        let told = |version: &str| {
            let names = ["major", "minor", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"];
            let mut info: serde_json::Map<_, _> = names.into_iter().map(|name| (name.to_owned(), "".into())).collect();
            info.insert("gitVersion".to_owned(), version.into());
            serde_json::Value::from(info).to_string()
        };
        assert_eq!(version_answered("plain0secret", 200, &told("v1.33.4")).await.unwrap(), "v1.33.4");
        let long = format!("v1\r\n\u{202e}.\u{1b}[2J{}", "3".repeat(3_000_000));
        let version = version_answered("plain0secret", 200, &told(&long)).await.unwrap();
        assert!(version.starts_with("v1 .[2J33") && version.chars().count() == 500, "{version:?}");
    }

    #[tokio::test]
    async fn a_refusal_that_repeats_the_token_is_kept_without_it() {
        let status = |code: u16, message: &str| {
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
                .to_string()
        };
        let error = answered("plain0secret", 403, &status(403, "no, plain0secret may not\u{202e}")).await;
        assert!(matches!(&error, ApiError::Admission(said) if said == "no, [key] may not"), "{error:?}");
        let error = answered("plain0secret", 500, &status(500, "etcd: plain0secret")).await;
        assert!(!format!("{error:?}").contains("plain0secret"), "{error:?}");
        let error = answered("plain0secret", 502, "plain0secret, but no Kubernetes").await;
        assert!(!format!("{error:?} {error}").contains("plain0secret"), "{error:?}");
    }
}
