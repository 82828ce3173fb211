//! Which kubeconfigs are taken. A kubeconfig can name programs to run, files of the machine that reads it and proxies to go
//! through; one that does is refused before any other parser sees it, and what is kept of the others is only what is needed
//! to reach one cluster as one user.

use serde_json::{Map, Value, json};

/// Largest kubeconfig, bytes: those of large teams have some hundred contexts with certificates.
const MAX_BYTES: usize = 1 << 20;

/// Fields of a user that make the reader run a program or open a file, with what to do instead.
const USER_REFUSED: [(&str, &str); 5] = [
    ("exec", "runs a program on the portal's machine"),
    ("auth-provider", "runs a program or reads files on the portal's machine"),
    ("tokenFile", "names a file; put the token itself under token"),
    ("client-certificate", "names a file; put its content under client-certificate-data"),
    ("client-key", "names a file; put its content under client-key-data"),
];
const CLUSTER_REFUSED: [(&str, &str); 2] = [
    ("proxy-url", "leads requests through another machine"),
    ("certificate-authority", "names a file; put its content under certificate-authority-data"),
];
const USER_KEPT: [&str; 9] =
    ["token", "username", "password", "client-certificate-data", "client-key-data", "as", "as-uid", "as-groups", "as-user-extra"];
const CLUSTER_KEPT: [&str; 5] =
    ["server", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name", "disable-compression"];

/// Why a kubeconfig is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    #[error("A kubeconfig has at most 1 MiB.")]
    TooLarge,
    /// Where the parser stopped, without any of the text: it holds secrets.
    #[error("This is no YAML{}.", .0.map(|(line, column)| format!(": see line {line}, column {column}")).unwrap_or_default())]
    NotYaml(Option<(u64, u64)>),
    #[error("{0} is missing or is not what a kubeconfig has there.")]
    Malformed(String),
    /// Paths of fields with what they would do.
    #[error("{}", refused(.0))]
    Refused(Vec<(String, &'static str)>),
    #[error("The kubeconfig has no context.")]
    NoContexts,
    #[error("Choose a context: the kubeconfig names none as its current one. It has {}.", .0.join(", "))]
    NoCurrentContext(Vec<String>),
    #[error("The kubeconfig has no context {name:?}. It has {}.", .known.join(", "))]
    UnknownContext { name: String, known: Vec<String> },
    #[error("The context names the {kind} {name:?}, which the kubeconfig does not have.")]
    Dangling { kind: &'static str, name: String },
    #[error("The cluster's address must begin with https://, or with http:// on this machine's loopback address.")]
    NotHttps,
    #[error("The context's user has neither a token nor a client certificate with its key nor a password.")]
    NoCredentials,
    #[error("The user's token has characters that can't be sent: line breaks, say.")]
    UnsendableToken,
}

fn refused(fields: &[(String, &'static str)]) -> String {
    let listed: Vec<String> = fields.iter().map(|(path, why)| format!("{path} ({why})")).collect();
    format!("A kubeconfig with these fields is not taken: {}.", listed.join("; "))
}

/// One cluster as one user: what was taken of a kubeconfig.
#[derive(Clone, PartialEq, Eq)]
pub struct ReachableCluster {
    /// The context that was taken.
    pub context: String,
    /// The contexts that the kubeconfig has.
    pub contexts: Vec<String>,
    /// The API server's address.
    pub server: String,
    /// The context's namespace, if it names one.
    pub namespace: Option<String>,
    /// Whether the API server's certificate is not checked.
    pub insecure: bool,
    /// A kubeconfig with nothing but this cluster, user and context, as JSON. A secret.
    pub kubeconfig: String,
}

impl std::fmt::Debug for ReachableCluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ReachableCluster")
            .field("context", &self.context)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Reads a kubeconfig, refuses what must not be in one, and takes one context of it: the named one, else its current one,
/// else its only one.
///
/// # Errors
/// When it is refused, broken, or does not lead to a cluster.
pub fn check(text: &str, context: Option<&str>) -> Result<ReachableCluster, KubeconfigError> {
    if text.len() > MAX_BYTES {
        return Err(KubeconfigError::TooLarge);
    }
    let whole: Value = serde_saphyr::from_str(text)
        .map_err(|error| KubeconfigError::NotYaml(error.location().map(|at| (at.line(), at.column()))))?;
    let whole = whole.as_object().ok_or_else(|| KubeconfigError::Malformed("The kubeconfig".to_owned()))?;
    let clusters = entries(whole, "clusters", "cluster")?;
    let users = entries(whole, "users", "user")?;
    let contexts = entries(whole, "contexts", "context")?;
    let mut found = Vec::new();
    for (list, word, refused) in [(&clusters, "cluster", &CLUSTER_REFUSED[..]), (&users, "user", &USER_REFUSED[..])] {
        for (index, entry) in list.iter().enumerate() {
            let named = refused.iter().filter(|(field, _)| entry.body.get(*field).is_some_and(|value| !value.is_null()));
            found.extend(named.map(|(field, why)| (format!("{word}s[{index}].{word}.{field}"), *why)));
        }
    }
    if !found.is_empty() {
        return Err(KubeconfigError::Refused(found));
    }
    let known: Vec<String> = contexts.iter().map(|entry| entry.name.to_owned()).collect();
    let current = whole.get("current-context").and_then(Value::as_str).filter(|name| !name.is_empty());
    let asked = context.map(str::trim).filter(|name| !name.is_empty());
    let name = match (asked.or(current), known.as_slice()) {
        (_, []) => return Err(KubeconfigError::NoContexts),
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, _) => return Err(KubeconfigError::NoCurrentContext(known)),
    };
    let Some(context) = contexts.iter().find(|entry| entry.name == name) else {
        return Err(KubeconfigError::UnknownContext { name, known });
    };
    let cluster = named(&clusters, context.body, "cluster")?;
    let user = named(&users, context.body, "user")?;
    let server = text_of(cluster, "server").unwrap_or_default().to_owned();
    if !is_acceptable(&server) {
        return Err(KubeconfigError::NotHttps);
    }
    let has = |field| text_of(user, field).is_some_and(|value| !value.is_empty());
    let certificate = has("client-certificate-data") && has("client-key-data");
    let password = has("username") && has("password");
    if !has("token") && !certificate && !password {
        return Err(KubeconfigError::NoCredentials);
    }
    // the client takes it for granted that it is a header's value
    if text_of(user, "token").is_some_and(|token| http::HeaderValue::from_str(token).is_err()) {
        return Err(KubeconfigError::UnsendableToken);
    }
    let namespace = text_of(context.body, "namespace").map(str::to_owned);
    let insecure = cluster.get("insecure-skip-tls-verify").and_then(Value::as_bool).unwrap_or(false);
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": kept(cluster, &CLUSTER_KEPT)}],
        "users": [{"name": "user", "user": kept(user, &USER_KEPT)}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    })
    .to_string();
    Ok(ReachableCluster { context: name, contexts: known, server, namespace, insecure, kubeconfig })
}

/// One of `clusters`, `users`, `contexts`.
struct Entry<'a> {
    name: &'a str,
    body: &'a Map<String, Value>,
}

fn entries<'a>(whole: &'a Map<String, Value>, list: &str, word: &str) -> Result<Vec<Entry<'a>>, KubeconfigError> {
    let malformed = |path: String| KubeconfigError::Malformed(path);
    let items = match whole.get(list) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(items) => items.as_array().ok_or_else(|| malformed(list.to_owned()))?,
    };
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let name = item.get("name").and_then(Value::as_str).ok_or_else(|| malformed(format!("{list}[{index}].name")))?;
            let body = item.get(word).and_then(Value::as_object).ok_or_else(|| malformed(format!("{list}[{index}].{word}")))?;
            Ok(Entry { name, body })
        })
        .collect()
}

fn named<'a>(
    list: &[Entry<'a>],
    context: &Map<String, Value>,
    kind: &'static str,
) -> Result<&'a Map<String, Value>, KubeconfigError> {
    let name = text_of(context, kind).unwrap_or_default();
    let found = list.iter().find(|entry| entry.name == name).map(|entry| entry.body);
    found.ok_or_else(|| KubeconfigError::Dangling { kind, name: name.to_owned() })
}

fn text_of<'a>(map: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    map.get(field).and_then(Value::as_str)
}

fn kept(map: &Map<String, Value>, fields: &[&str]) -> Value {
    let kept =
        fields.iter().filter_map(|field| Some(((*field).to_owned(), map.get(*field).filter(|value| !value.is_null())?.clone())));
    Value::Object(kept.collect())
}

/// A token over plain HTTP can be read on its way; `kubectl proxy` listens on loopback without TLS.
fn is_acceptable(server: &str) -> bool {
    let Ok(uri) = server.parse::<http::Uri>() else { return false };
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else { return false };
    match uri.scheme_str() {
        Some("https") => !authority.host().is_empty(),
        Some("http") => is_loopback(authority.host()),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "[::1]" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r"
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: one
  cluster: {server: 'https://10.0.0.1:6443', certificate-authority-data: Q0E=, extensions: [{name: x, extension: {exec: no}}]}
- name: two
  cluster: {server: 'https://two.example', insecure-skip-tls-verify: true}
users:
- name: anna
  user: {token: very-secret}
contexts:
- name: prod
  context: {cluster: one, user: anna, namespace: team}
- name: test
  context: {cluster: two, user: anna}
";

    #[test]
    fn one_context_is_taken_and_nothing_else_kept() {
        let taken = check(GOOD, None).unwrap();
        assert_eq!((taken.context.as_str(), taken.server.as_str()), ("prod", "https://10.0.0.1:6443"));
        assert_eq!((taken.namespace.as_deref(), taken.insecure), (Some("team"), false));
        assert_eq!(taken.contexts, ["prod", "test"]);
        assert!(!taken.kubeconfig.contains("extension") && !taken.kubeconfig.contains("two"));
        assert!(!format!("{taken:?}").contains("very-secret"));
        let other = check(GOOD, Some("test")).unwrap();
        assert!(other.insecure && other.server == "https://two.example");
        assert_eq!(
            check(GOOD, Some("gone")),
            Err(KubeconfigError::UnknownContext { name: "gone".into(), known: vec!["prod".into(), "test".into()] })
        );
    }

    /// Also those of users and clusters that the context does not lead to.
    #[test]
    fn what_runs_programs_or_reads_files_is_refused_by_its_path() {
        let text = GOOD.replace(
            "- name: anna\n",
            "- name: eve\n  user: {exec: {command: /bin/sh}, tokenFile: /etc/shadow}\n- name: bob\n  user: {auth-provider: {name: gcp}, client-key: /k, client-certificate: /c}\n- name: anna\n",
        );
        let text = text.replace("insecure-skip-tls-verify: true", "proxy-url: 'http://evil', certificate-authority: /ca");
        let Err(KubeconfigError::Refused(found)) = check(&text, None) else { panic!("it was taken") };
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "clusters[1].cluster.proxy-url",
                "clusters[1].cluster.certificate-authority",
                "users[0].user.exec",
                "users[0].user.tokenFile",
                "users[1].user.auth-provider",
                "users[1].user.client-certificate",
                "users[1].user.client-key",
            ]
        );
    }

    /// A merge key brings fields of elsewhere in: they are seen where they arrive.
    #[test]
    fn merged_fields_are_seen() {
        let text = GOOD.replace("user: {token: very-secret}", "user:\n    <<: &hidden {exec: {command: sh}}\n    token: t");
        assert!(matches!(check(&text, None), Err(KubeconfigError::Refused(_))), "{:?}", check(&text, None));
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        let without = |from: &str, to: &str| check(&GOOD.replace(from, to), None).unwrap_err();
        assert_eq!(without("current-context: prod\n", ""), KubeconfigError::NoCurrentContext(vec!["prod".into(), "test".into()]));
        assert_eq!(
            without("cluster: one,", "cluster: none,"),
            KubeconfigError::Dangling { kind: "cluster", name: "none".into() }
        );
        assert_eq!(without("https://10.0.0.1:6443", "http://10.0.0.1:6443"), KubeconfigError::NotHttps);
        assert_eq!(without("token: very-secret", "token: ''"), KubeconfigError::NoCredentials);
        assert_eq!(check("a: 1", None).unwrap_err(), KubeconfigError::NoContexts);
        assert_eq!(check("clusters: 3", None).unwrap_err(), KubeconfigError::Malformed("clusters".into()));
        let broken = check("users:\n  - name: [very-secret", None).unwrap_err();
        assert!(matches!(broken, KubeconfigError::NotYaml(Some(_))) && !broken.to_string().contains("very-secret"));
        assert!(check(&GOOD.replace("https://10.0.0.1:6443", "http://127.0.0.1:8001"), None).is_ok());
        assert_eq!(check(&"#".repeat(MAX_BYTES + 1), None).unwrap_err(), KubeconfigError::TooLarge);
    }

    /// What stands before an @ is no host.
    #[test]
    fn plain_http_leads_to_this_machine_alone() {
        let server = |address: &str| check(&GOOD.replace("https://10.0.0.1:6443", address), None);
        for near in
            ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001", "http://127.0.0.1", "https://[::1]:6443"]
        {
            assert!(server(near).is_ok(), "{near}");
        }
        for far in [
            "http://127.0.0.1:80@evil.example",
            "http://localhost@evil.example:80",
            "http://127.0.0.1.evil.example",
            "https://user:word@one.example",
            "https://",
            "https://one example",
            "file:///etc/passwd",
        ] {
            assert_eq!(server(far), Err(KubeconfigError::NotHttps), "{far}");
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused() {
        for token in [r#""a\r\nX-Other: 1""#, r#""a\0b""#] {
            let text = GOOD.replace("very-secret", token);
            assert_eq!(check(&text, None), Err(KubeconfigError::UnsendableToken), "{token}");
        }
    }

    #[test]
    fn aliases_that_grow_without_end_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
        }
        assert!(check(&text, None).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[a-z:\\-\\[\\]{}&*#|>'\" \n]{0,200}") {
            let _ = check(&text, None);
        }

        #[test]
        fn what_is_taken_reads_again(token in "[a-zA-Z0-9._-]{1,60}") {
            let taken = check(&GOOD.replace("very-secret", &format!("'{token}'")), None).unwrap();
            let again: kube::config::Kubeconfig = serde_json::from_str(&taken.kubeconfig).unwrap();
            prop_assert_eq!(again.clusters.len(), 1);
            prop_assert_eq!(check(&taken.kubeconfig, None).unwrap().server, taken.server);
        }
    }
}
