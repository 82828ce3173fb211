//! What Dyno must be allowed to do on a cluster.

/// A verb list on one kind of object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    /// The API group, empty for the core's.
    pub group: &'static str,
    /// The resource, with its subresource after a slash.
    pub resource: &'static str,
    pub verbs: Vec<&'static str>,
    /// Where; absent: in the whole cluster.
    pub namespace: Option<String>,
    /// What it is for, as the end of a sentence that begins with "to".
    pub purpose: &'static str,
}

impl Rule {
    pub(crate) fn same_object(&self, other: &Self) -> bool {
        (self.group, self.resource, &self.namespace) == (other.group, other.resource, &other.namespace)
    }
}

impl std::fmt::Display for Rule {
    /// As a line for people: `create, delete jobs in dyno, to …`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.verbs.join(", "), self.resource)?;
        if let Some(namespace) = &self.namespace {
            write!(formatter, " in {namespace}")?;
        }
        write!(formatter, ", {}", self.purpose)
    }
}

/// The rules that Dyno needs: to read the cluster's nodes, and to run benchmarks in a namespace.
pub fn required(namespace: &str) -> Vec<Rule> {
    let everywhere = |resource, purpose| Rule { group: "", resource, verbs: vec!["list"], namespace: None, purpose };
    let inside = |group, resource, verbs: &[&'static str], purpose| Rule {
        group,
        resource,
        verbs: verbs.to_vec(),
        namespace: Some(namespace.to_owned()),
        purpose,
    };
    vec![
        everywhere("nodes", "to see the nodes with their devices"),
        everywhere("pods", "to see what is taken on the nodes already"),
        inside("batch", "jobs", &["create", "delete", "get", "list", "patch"], "to start and end a run"),
        inside("batch", "jobs/finalizers", &["update"], "to have what a run makes end with it"),
        inside(
            "",
            "pods",
            &["create", "delete", "get", "list", "patch", "watch"],
            "to run engines and the load, and to say why one ended",
        ),
        inside("", "pods/log", &["get"], "to show what an engine says"),
        inside("", "pods/proxy", &["create", "get", "update"], "to read what was measured"),
        inside("", "events", &["list"], "to say why a pod does not start"),
        inside("", "secrets", &["create", "delete", "get", "patch"], "to give a run its plan and keys, and to go on with it"),
        inside("", "services", &["create", "delete", "patch"], "to let people reach an engine"),
    ]
}

/// The missing rules as a manifest that grants them to a user, for an administrator of the cluster to apply: those of the whole
/// cluster as a cluster role, those of a namespace as a role in it. Where the user's name is not known, the subjects are to be filled
/// in.
pub fn missing_rules_manifest(missing: &[Rule], user: Option<&str>) -> String {
    let subject = subject(user);
    let mut places: Vec<Option<&str>> = missing.iter().map(|rule| rule.namespace.as_deref()).collect();
    places.sort_unstable();
    places.dedup();
    let roles = places.into_iter().map(|namespace| {
        let rules: String = missing.iter().filter(|rule| rule.namespace.as_deref() == namespace).map(role_rule).collect();
        let (prefix, name) = if namespace.is_some() { ("", "dyno-runner") } else { ("Cluster", "dyno-reader") };
        let place = namespace.map(|namespace| format!("  namespace: {namespace}\n")).unwrap_or_default();
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {prefix}Role\nmetadata:\n  name: {name}\n{place}rules:\n{rules}---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: {prefix}RoleBinding\nmetadata:\n  name: {name}\n{place}\
             roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {prefix}Role\n  name: {name}\n\
             subjects:\n{subject}"
        )
    });
    roles.collect::<Vec<_>>().join("---\n")
}

/// Whom the rules are granted to; `user` as the API server names it.
fn subject(user: Option<&str>) -> String {
    // JSON's strings are YAML's, too: whatever is in a name, it stays one.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match user {
        None => "  # the kubeconfig's user: kind User, Group or ServiceAccount\n  - kind: ServiceAccount\n    name: dyno\n    namespace: dyno\n"
            .to_owned(),
        Some(user) => match user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':')) {
            Some((namespace, name)) => {
                format!("  - kind: ServiceAccount\n    name: {}\n    namespace: {}\n", quoted(name), quoted(namespace))
            }
            None => format!("  - kind: User\n    apiGroup: rbac.authorization.k8s.io\n    name: {}\n", quoted(user)),
        },
    }
}

fn role_rule(rule: &Rule) -> String {
    format!(
        "  # {}\n  - apiGroups: [\"{}\"]\n    resources: [\"{}\"]\n    verbs: [{}]\n",
        rule.purpose,
        rule.group,
        rule.resource,
        rule.verbs.iter().map(|verb| format!("\"{verb}\"")).collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_grants_each_rule_where_it_is_needed() {
        let manifest = missing_rules_manifest(&required("team"), None);
        let documents: Vec<serde_json::Value> =
            manifest.split("---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect();
        let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
        assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        assert_eq!(documents[0]["rules"][1]["resources"][0], "pods");
        assert_eq!(documents[2]["metadata"]["namespace"], "team");
        assert_eq!(documents[2]["rules"][0]["apiGroups"][0], "batch");
        assert_eq!(documents[3]["roleRef"]["kind"], "Role");
        let only_reading: Vec<Rule> = required("team").into_iter().filter(|rule| rule.namespace.is_none()).collect();
        assert!(!missing_rules_manifest(&only_reading, None).contains("kind: Role\n"));
    }

    #[test]
    fn the_rules_are_granted_to_the_user_that_is_known() {
        let subject = |user: Option<&str>| -> serde_json::Value {
            let manifest = missing_rules_manifest(&required("team")[..1], user);
            let binding: serde_json::Value = serde_saphyr::from_str(manifest.split("---\n").nth(1).unwrap()).unwrap();
            binding["subjects"][0].clone()
        };
        let account = serde_json::json!({"kind": "ServiceAccount", "name": "bench", "namespace": "team-a"});
        assert_eq!(subject(Some("system:serviceaccount:team-a:bench")), account);
        let hostile = "anna\"\n- kind: Group";
        let user = serde_json::json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": hostile});
        assert_eq!(subject(Some(hostile)), user);
        assert_eq!(subject(None)["name"], "dyno");
    }

    #[test]
    fn a_rule_reads_as_a_line() {
        assert_eq!(required("team")[5].to_string(), "get pods/log in team, to show what an engine says");
    }
}
