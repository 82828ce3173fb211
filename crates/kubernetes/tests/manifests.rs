//! What `deploy/kubernetes.yaml` gives the portal: what Dyno needs, and no more than it says.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use dyno_kubernetes::required;
use serde_json::Value;

fn objects() -> Vec<Value> {
    serde_saphyr::from_multiple(include_str!("../../../deploy/kubernetes.yaml")).unwrap()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_portal_is_granted_what_it_needs() {
    let objects = objects();
    for rule in required("dyno") {
        let kind = if rule.namespace.is_none() { "ClusterRole" } else { "Role" };
        let granted = of_kind(&objects, kind).into_iter().flat_map(|role| role["rules"].as_array().unwrap());
        let of_resource: Vec<&str> = granted
            .filter(|given| {
                texts(&given["apiGroups"]).contains(&rule.group) && texts(&given["resources"]).contains(&rule.resource)
            })
            .flat_map(|given| texts(&given["verbs"]))
            .collect();
        for verb in &rule.verbs {
            assert!(of_resource.contains(verb), "{kind}: {verb} {}/{} {}", rule.group, rule.resource, rule.purpose);
        }
    }
}

#[test]
fn nothing_is_granted_wholesale() {
    let objects = objects();
    let everywhere: Vec<&Value> = of_kind(&objects, "ClusterRole");
    for role in everywhere.iter().copied().chain(of_kind(&objects, "Role")) {
        for rule in role["rules"].as_array().unwrap() {
            for list in ["apiGroups", "resources", "verbs"] {
                assert!(!texts(&rule[list]).contains(&"*"), "{rule}");
            }
            let sensitive = ["rbac.authorization.k8s.io", "authentication.k8s.io"];
            assert!(texts(&rule["apiGroups"]).iter().all(|group| !sensitive.contains(group)), "{rule}");
            assert!(!texts(&rule["resources"]).contains(&"pods/exec"), "{rule}");
        }
    }
    // The rights over the whole cluster only look, and not at secrets.
    for rule in everywhere.iter().flat_map(|role| role["rules"].as_array().unwrap()) {
        assert!(texts(&rule["verbs"]).iter().all(|verb| ["get", "list", "watch"].contains(verb)), "{rule}");
        assert!(!texts(&rule["resources"]).contains(&"secrets"), "{rule}");
    }
}

#[test]
fn the_portals_pod_is_confined() {
    let objects = objects();
    let deployment = of_kind(&objects, "Deployment")[0];
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(texts(&container["securityContext"]["capabilities"]["drop"]), ["ALL"]);
    // Two at once would work on one database.
    assert_eq!(
        (&deployment["spec"]["replicas"], &deployment["spec"]["strategy"]["type"]),
        (&Value::from(1), &Value::from("Recreate"))
    );
    // What runs are made of is the image that the portal itself runs.
    let own = container["env"].as_array().unwrap().iter().find(|variable| variable["name"] == "DYNO_IMAGE").unwrap();
    assert_eq!(own["value"], container["image"]);
}
