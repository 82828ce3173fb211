//! Lists of an API server, read in portions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::ListParams;
use kube::core::Request;
use serde::de::DeserializeOwned;

use crate::api_error::ApiError;
use crate::connection::Connection;
use crate::response_limits::AnswerTooLarge;

pub(crate) const NODES: &str = "/api/v1/nodes";
pub(crate) const PODS: &str = "/api/v1/pods";
/// Items of a portion.
const PORTION: u32 = 250;
/// Largest list, bytes of all portions: more than an API server writes while anybody waits.
const MAX_LIST: usize = 512 << 20;
/// Portions may be empty, and have a next one.
const MAX_PORTIONS: usize = 2_000;
/// Most items, of which a type keeps little.
pub(crate) const MAX_ITEMS: usize = 200_000;
/// Most items that are kept whole. Kubernetes is made for 5,000 nodes at most.
pub(crate) const MAX_WHOLE: usize = 10_000;

#[derive(Debug)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Which state of the cluster it is of.
    pub(crate) version: Option<String>,
}

#[derive(serde::Deserialize)]
struct Portion<T> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

impl Connection {
    /// Reads a list of at most so many items.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        params: &ListParams,
        most: usize,
    ) -> Result<List<T>, ApiError> {
        let mut params = params.clone().limit(PORTION);
        let (mut items, mut left) = (Vec::new(), MAX_LIST);
        for _ in 0..MAX_PORTIONS {
            let request = Request::new(path).list(&params).map_err(|error| ApiError::Refused(error.to_string()))?;
            let mut portion: Portion<T> = {
                let _reading = self.lists().acquire().await;
                let text = self.client().request_text(request).await?;
                left = left.checked_sub(text.len()).ok_or(AnswerTooLarge::List(MAX_LIST))?;
                serde_json::from_str(&text).map_err(|error| ApiError::Unexpected(kube::Error::SerdeError(error)))?
            };
            items.append(&mut portion.items);
            if items.len() > most {
                return Err(AnswerTooLarge::Items(most).into());
            }
            match portion.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(List { items, version: portion.metadata.resource_version }),
            }
        }
        Err(AnswerTooLarge::Portions(MAX_PORTIONS).into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::PodAddress;
    use crate::nodes::{PodRequests, TrimmedNode};

    /// A connection to an API server that answers each request with this status, a beginning, and then the same piece so many times.
    async fn answering(status: &'static str, begin: &'static str, piece: String, times: usize) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kubeconfig = serde_json::json!({
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
            "users": [{"name": "u", "user": {"token": "plain0secret"}}],
            "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "k",
        });
        let answer = move |mut stream: TcpStream| -> std::io::Result<()> {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte)?;
                head.extend(byte);
            }
            write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n\r\n{begin}")?;
            // a client that has had enough closes the connection
            (0..times).try_for_each(|_| stream.write_all(piece.as_bytes()))
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap());
            }
        });
        Connection::with_kubeconfig(&kubeconfig.to_string()).await.unwrap()
    }

    async fn nodes_of(connection: &Connection) -> ApiError {
        connection.list::<TrimmedNode>(NODES, &ListParams::default(), MAX_WHOLE).await.unwrap_err()
    }

    const ITEMS: &str = r#"{"apiVersion":"v1","kind":"NodeList","metadata":{"continue":"more"},"items":["#;

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_its_end() {
        let name = answering("200 OK", r#"{"items":[{"metadata":{"name":""#, "x".repeat(1 << 20), 64).await;
        assert_eq!(nodes_of(&name).await.to_string(), "The API server's answer is larger than 16 MB.");
        assert!(matches!(name.version().await, Err(ApiError::TooLarge(AnswerTooLarge::Bytes(_)))));
        let refusal = answering("403 Forbidden", r#"{"kind":"Status","message":""#, "x".repeat(1 << 20), 64).await;
        assert_eq!(nodes_of(&refusal).await.to_string(), "The API server's answer is larger than 1 MB.");
        let pod = PodAddress { namespace: "n".to_owned(), pod: "p".to_owned(), port: 1 };
        let asked = name.ask_pod(&pod, http::Request::get("/").body(Vec::new()).unwrap()).await;
        assert_eq!(asked.unwrap_err().to_string(), "The API server's answer is larger than 16 MB.");
    }

    #[tokio::test]
    async fn objects_of_an_answer_are_counted() {
        let container = r#"{"name":""},"#.repeat(1_000);
        let connection = answering("200 OK", r#"{"items":[{"spec":{"containers":["#, container, 1_000).await;
        let error = connection.list::<PodRequests>(PODS, &ListParams::default(), MAX_ITEMS).await.unwrap_err();
        assert_eq!(error.to_string(), "The API server's answer has more than 400000 objects within it.");
        // a pod's own answer is not made anything of
        let connection = answering("200 OK", "", "{".repeat(1 << 20), 1).await;
        let pod = PodAddress { namespace: "n".to_owned(), pod: "p".to_owned(), port: 1 };
        let answer = connection.ask_pod(&pod, http::Request::get("/").body(Vec::new()).unwrap()).await.unwrap();
        assert_eq!(answer.body().len(), 1 << 20);
    }

    #[tokio::test]
    async fn a_list_that_goes_on_for_ever_ends() {
        let begin = format!("{ITEMS}{}", r#"{"metadata":{"name":"n"}},"#.repeat(2_999));
        let connection = answering("200 OK", begin.leak(), r#"{"metadata":{"name":"n"}}]}"#.to_owned(), 1).await;
        assert_eq!(nodes_of(&connection).await.to_string(), "The API server's answer has a list of more than 10000 items.");
        let connection = answering("200 OK", ITEMS, "]}".to_owned(), 1).await;
        assert_eq!(nodes_of(&connection).await.to_string(), "The API server's answer has a list of more than 2000 portions.");
    }
}
