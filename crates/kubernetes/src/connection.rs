//! A connection to one API server as one user.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join3};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Node;
use kube::api::{ListParams, PostParams};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::{Api, Client, Config};
use tokio::sync::Semaphore;

use crate::answer::{AnswerTooLarge, LimitLayer};
use crate::list::{AT_ONCE, MAX_ITEMS, MAX_WHOLE};
use crate::nodes::{ClusterNode, NodeUse, PodRequests, TrimmedNode, facts};
use crate::permissions::Rule;
use crate::struck::{self, secrets_of};
use crate::telemetry::KeptAnswers;

/// Until the API server has taken a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Until it has answered.
const ANSWER: Duration = Duration::from_secs(20);
pub(crate) const NODES: &str = "/api/v1/nodes";
pub(crate) const PODS: &str = "/api/v1/pods";

/// Why a cluster did not answer as asked; the text is a sentence for people, with none of the server's own words but those
/// of Kubernetes' refusals.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("The cluster does not answer at its address.")]
    Unreachable(#[source] kube::Error),
    #[error("The cluster did not answer in time.")]
    Late,
    #[error("The cluster's certificate is not trusted. Its kubeconfig needs the certificate authority.")]
    Certificate(#[source] kube::Error),
    #[error("The cluster does not accept the kubeconfig's user. Its token or certificate may have expired.")]
    Unauthorized,
    /// What Kubernetes says is missing.
    #[error("The kubeconfig's user may not do this: {0}")]
    Forbidden(String),
    /// In the words of the cluster's own quota.
    #[error("The namespace's quota does not allow it: {0}")]
    Quota(String),
    /// In the words of the rule that refused it.
    #[error("The cluster's admission rules refuse it: {0}")]
    Admission(String),
    #[error("The cluster answered with an error: {0}")]
    Refused(String),
    /// The same question may be answered later.
    #[error("The cluster is not able to answer at the moment: {0}")]
    Unavailable(String),
    #[error("The cluster's answer was not understood.")]
    Unexpected(#[source] kube::Error),
    #[error("The API server's answer {0}.")]
    TooLarge(#[from] AnswerTooLarge),
    #[error("The kubeconfig does not lead to a cluster: {0}.")]
    Kubeconfig(String),
    #[error("The portal does not run in a Kubernetes cluster: it has no service account.")]
    NotInCluster,
}

impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        if let Some(too_large) = AnswerTooLarge::of(&error) {
            return Self::TooLarge(too_large);
        }
        match &error {
            kube::Error::Api(status) => Self::of_answer(status),
            kube::Error::HyperError(_) | kube::Error::Service(_) => {
                let text = words_of(&error);
                if ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| text.contains(word)) {
                    Self::Certificate(error)
                } else {
                    Self::Unreachable(error)
                }
            }
            _ => Self::Unexpected(error),
        }
    }
}

/// What kube gives as the reason of an error whose body is not Kubernetes' own.
const NOT_KUBERNETES: &str = "Failed to parse error data";

impl ApiError {
    /// From an answer with an error status. The words of a body that is not Kubernetes' own are not repeated: anything may be at
    /// the address.
    fn of_answer(answer: &Status) -> Self {
        let is_kubernetes = answer.is_failure() && answer.reason != NOT_KUBERNETES;
        if is_kubernetes || answer.code == 401 {
            return Self::of_status(answer.code, &answer.message);
        }
        // an object of another kind has no code
        let status = if answer.code == 0 { String::new() } else { format!("HTTP status {}, ", answer.code) };
        let said = format!("{status}in a form that is not Kubernetes'.");
        if matches!(answer.code, 429 | 500..) { Self::Unavailable(said) } else { Self::Refused(said) }
    }

    /// From the status and the words of the API server.
    pub(crate) fn of_status(code: u16, message: &str) -> Self {
        let said = shortened(message);
        match code {
            401 => Self::Unauthorized,
            403 if message.contains("exceeded quota") || message.contains("failed quota") => Self::Quota(said),
            // Who may do what is refused in these words, whichever authorizer it is.
            403 if message.contains(" cannot ") => Self::Forbidden(said),
            403 => Self::Admission(said),
            _ if message.contains("admission webhook") || message.contains("ValidatingAdmissionPolicy") => Self::Admission(said),
            429 | 500.. => Self::Unavailable(said),
            _ => Self::Refused(said),
        }
    }
}

/// The texts of an error and its causes.
fn words_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn shortened(message: &str) -> String {
    message.chars().filter(|c| !is_hidden(*c)).take(300).collect()
}

/// Whether a character controls something, can't be seen or changes the reading direction.
pub(crate) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

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
        Self::with(config, secrets_of(kubeconfig))
    }

    /// As the service account of the pod that the portal runs in.
    ///
    /// # Errors
    /// When the portal does not run in a pod.
    pub fn in_cluster() -> Result<Self, ApiError> {
        Self::with(Config::incluster().map_err(|_| ApiError::NotInCluster)?, Vec::new())
    }

    fn with(mut config: Config, secrets: Vec<String>) -> Result<Self, ApiError> {
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.write_timeout = Some(ANSWER);
        // The environment of the portal may name one; a cluster's address is reached directly.
        config.proxy_url = None;
        let builder = ClientBuilder::try_from(config).map_err(|error| ApiError::Kubeconfig(words_of(&error)))?;
        let client = builder.with_layer(&LimitLayer).with_layer(&struck::layer(secrets)).build();
        Ok(Self { client, answers: KeptAnswers::default(), lists: Arc::new(Semaphore::new(AT_ONCE)) })
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
        Ok(self.client.apiserver_version().await?.git_version)
    }

    /// The user's name, as the API server knows it; absent where it does not tell.
    ///
    /// # Errors
    /// When it does not answer, or is older than Kubernetes 1.28.
    pub async fn user(&self) -> Result<Option<String>, ApiError> {
        let reviews = Api::<SelfSubjectReview>::all(self.client.clone());
        let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        Ok(user.filter(|name| !name.is_empty()))
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

    /// The cluster's nodes as they are now: what they have, what pods have asked for, and how busy they are where a metrics
    /// server tells.
    ///
    /// # Errors
    /// When it does not answer, or nodes and pods may not be listed.
    pub async fn nodes(&self) -> Result<Vec<ClusterNode>, ApiError> {
        let every = ListParams::default();
        let nodes = self.list::<TrimmedNode>(NODES, &every, MAX_WHOLE);
        // What has ended holds nothing any more.
        let running = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        let pods = self.list::<PodRequests>(PODS, &running, MAX_ITEMS);
        let usage = async { Ok(self.usage().await) };
        let (nodes, pods, usage) = try_join3(nodes, pods, usage).await?;
        let nodes: Vec<Node> = nodes.items.into_iter().map(|facts| facts.0).collect();
        Ok(facts(&nodes, &pods.items, &usage))
    }

    /// What a metrics server says of the nodes; nothing where there is none.
    async fn usage(&self) -> Vec<NodeUse> {
        self.node_use().await.unwrap_or_default()
    }

    /// What a metrics server says of the nodes; an error where there is none.
    pub(crate) async fn node_use(&self) -> Result<Vec<NodeUse>, ApiError> {
        Ok(self.list("/apis/metrics.k8s.io/v1beta1/nodes", &ListParams::default(), MAX_WHOLE).await?.items)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// An answer of whoever is at a cluster's address to a request that came with this token.
    async fn answered(token: &str, status: u16, body: &str) -> ApiError {
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
        let error = connection.version().await.unwrap_err();
        assert!(server.join().unwrap().contains(token), "it was sent");
        error
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

    #[test]
    fn a_refusal_says_who_refused() {
        let quota = "pods \"p\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
        assert!(matches!(ApiError::of_status(403, quota), ApiError::Quota(said) if said == quota));
        let security = "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": hostPath volumes";
        assert!(matches!(ApiError::of_status(403, security), ApiError::Admission(_)));
        let webhook = "admission webhook \"policy.example\" denied the request: no latest tag";
        assert!(matches!(ApiError::of_status(400, webhook), ApiError::Admission(_)));
        let user = "nodes is forbidden: User \"nobody\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
        assert!(matches!(ApiError::of_status(403, user), ApiError::Forbidden(_)));
        assert!(matches!(ApiError::of_status(409, "conflict"), ApiError::Refused(_)));
        assert!(matches!(ApiError::of_status(500, "etcdserver: request timed out"), ApiError::Unavailable(_)));
        assert!(matches!(ApiError::of_status(401, "Unauthorized"), ApiError::Unauthorized));
    }
}
