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

/// The rules that reading a cluster takes.
pub fn required() -> Vec<Rule> {
    let everywhere = |resource, purpose| Rule { group: "", resource, verbs: vec!["list"], namespace: None, purpose };
    vec![
        everywhere("nodes", "to see the nodes with their devices"),
        everywhere("pods", "to see what is taken on the nodes already"),
    ]
}

/// The missing rules as a manifest that grants them, for an administrator of the cluster to apply once its subject is filled in.
pub fn missing_rules_manifest(missing: &[Rule]) -> String {
    let rules: Vec<String> = missing
        .iter()
        .map(|rule| {
            format!(
                "  # {}\n  - apiGroups: [\"{}\"]\n    resources: [\"{}\"]\n    verbs: [{}]\n",
                rule.purpose,
                rule.group,
                rule.resource,
                rule.verbs.iter().map(|verb| format!("\"{verb}\"")).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: dyno-reader\nrules:\n{}",
        rules.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_yaml_with_each_rule() {
        let read: serde_json::Value = serde_saphyr::from_str(&missing_rules_manifest(&required())).unwrap();
        assert_eq!(read["kind"], "ClusterRole");
        assert_eq!(read["rules"][0]["resources"][0], "nodes");
        assert_eq!(read["rules"][1]["verbs"][0], "list");
    }
}
