//! Kubernetes clusters over HTTP: against an API server of our own that answers what its test says, and, where
//! `DYNO_TEST_CLUSTER` names the folder of `scripts/kubernetes/up.sh`, against a real one.

use axum::Json;
use axum::routing::{get, post};
use serde_json::json;

use super::*;

const TOKEN: &str = "token-that-nobody-may-see";

/// An API server with nodes, where nothing is permitted on secrets. Its address.
pub(super) async fn api_server(nodes: usize) -> String {
    let node = |index: usize| {
        json!({
            "metadata": {"name": format!("node-{index:03}"), "labels": {
                "kubernetes.io/hostname": format!("gpu-{index:03}"),
                "nvidia.com/gpu.product": if index == 0 { "NVIDIA-L4" } else { "NVIDIA-H100-80GB-HBM3" },
                "nvidia.com/gpu.memory": "81559",
            }},
            "spec": {"unschedulable": index == 1},
            "status": {
                "allocatable": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "8"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        })
    };
    let nodes: Vec<Value> = (0..nodes).map(node).collect();
    let pod = json!({
        "metadata": {"name": "busy"},
        "spec": {"nodeName": "node-000", "containers": [{"name": "c", "resources": {
            "limits": {"nvidia.com/gpu": "3"}, "requests": {"cpu": "3200m", "memory": "16Gi"},
        }}]},
        "status": {"phase": "Running"},
    });
    let list = |kind: &str, items: Vec<Value>| json!({"apiVersion": "v1", "kind": kind, "metadata": {}, "items": items});
    let (nodes, pods) = (list("NodeList", nodes), list("PodList", vec![pod]));
    let version = json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.1", "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    });
    let review = async |Json(mut review): Json<Value>| {
        let allowed = review["spec"]["resourceAttributes"]["resource"] != "secrets";
        review["status"] = json!({"allowed": allowed});
        Json(review)
    };
    let who = async |Json(mut review): Json<Value>| {
        review["status"] = json!({"userInfo": {"username": "system:serviceaccount:team-a:bench"}});
        Json(review)
    };
    let routes = axum::Router::new()
        .route("/version", get(async move || Json(version)))
        .route("/api/v1/nodes", get(async move || Json(nodes)))
        .route("/api/v1/pods", get(async move || Json(pods)))
        .route("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", post(review))
        .route("/apis/authentication.k8s.io/v1/selfsubjectreviews", post(who));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

pub(super) fn kubeconfig(server: &str) -> String {
    format!(
        "clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: {TOKEN}}}}}]\n\
         contexts: [{{name: k, context: {{cluster: c, user: u}}}}]"
    )
}

impl House {
    /// A workflow's steps from the first on; answers the last one's answer.
    pub(super) async fn workflow(&self, token: &str, steps: &[Value]) -> Value {
        let mut answer = Value::Null;
        for step in steps {
            let mut body = step.clone();
            if let Some(id) = answer.get("workflow_id") {
                body["workflow_id"] = id.clone();
            }
            let (status, next) = self.send(token, Method::POST, "benchmarks/run-workflow", Some(body)).await;
            assert_eq!(status, 200, "{step}: {next}");
            answer = next;
        }
        answer
    }

    /// A portal with one Kubernetes cluster of so many nodes, and the cluster's id.
    pub(super) async fn with_cluster(nodes: usize) -> (Self, String) {
        let house = Self::open().await;
        let body = json!({"name": "gpus", "kind": "kubernetes", "kubeconfig": kubeconfig(&api_server(nodes).await)});
        let (status, made) = house.post("clusters", body).await;
        assert_eq!(status, 201, "{made}");
        (house, made["id"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_kubeconfig_is_refused_where_it_was_given() {
    let house = House::open().await;
    let add = async |name: &str, kind: &str, kubeconfig: &str| {
        let (status, problem) =
            house.post("clusters", json!({"name": name, "kind": kind, "kubeconfig": kubeconfig, "context": "k"})).await;
        assert_eq!(status, 422, "{problem}");
        fields(&problem).into_iter().map(|(field, message)| (field.to_owned(), message.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(add("k", "kubernetes", "x").await[0].0, "kubeconfig");
    assert_eq!(
        add("", "cloud", "a: 1").await,
        [
            ("kind", "This kind of cluster is not known."),
            ("name", "Enter a name."),
            ("kubeconfig", "The kubeconfig has no context.")
        ]
        .map(|(field, message)| (field.to_owned(), message.to_owned()))
    );
    let hostile = "users: [{name: u, user: {exec: {command: sh}, tokenFile: /etc/shadow}}]\nclusters: [{name: c, cluster: {server: 'https://a', proxy-url: 'http://b'}}]";
    let found = add("k", "kubernetes", hostile).await;
    for path in ["users[0].user.exec", "users[0].user.tokenFile", "clusters[0].cluster.proxy-url"] {
        assert!(found[0].0 == "kubeconfig" && found[0].1.contains(path), "{path}: {found:?}");
    }
    // Nobody listens there; the address itself is allowed to an administrator.
    let silent = "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: k, context: {cluster: c, user: u}}]";
    assert_eq!(
        add("k", "kubernetes", silent).await,
        [("kubeconfig".to_owned(), "The cluster does not answer at its address.".to_owned())]
    );
    let metadata = silent.replace("127.0.0.1:9", "169.254.169.254");
    assert_eq!(add("k", "kubernetes", &metadata).await[0].0, "kubeconfig");
    assert_eq!(house.get("clusters").await.1["total"], 2, "none was kept");
}

#[tokio::test]
async fn nodes_are_told_in_the_shape_that_all_clusters_have() {
    let (house, id) = House::with_cluster(3).await;
    let (status, metrics) = house.get(&format!("clusters/{id}/node-metrics")).await;
    assert_eq!(status, 200, "{metrics}");
    let [first, cordoned, third] = metrics["nodes"].as_array().unwrap().as_slice() else { panic!("{metrics}") };
    assert_eq!((&first["hostname"], &first["status"]), (&json!("gpu-000"), &json!("Ready")));
    assert_eq!((&cordoned["status"], &third["status"]), (&json!("Cordoned"), &json!("Ready")));
    let [cpu, gpu] = first["devices"].as_array().unwrap().as_slice() else { panic!("{first}") };
    assert_eq!((&cpu["type"], &cpu["device_info"]["num_virtual_cores"]), (&json!("cpu"), &json!(8)));
    assert_eq!((&gpu["name"], &gpu["type"]), (&json!("NVIDIA L4"), &json!("cuda")));
    assert_eq!((&gpu["device_info"]["num_devices"], &gpu["available_count"]), (&json!(8), &json!(5)), "three are asked for");
    let requests = json!({
        "cpu_allocatable": 8.0, "cpu_requested": 3.2, "memory_allocatable_bytes": 64_u64 << 30, "memory_requested_bytes": 16_u64 << 30,
        "memory_requested_by_runs_bytes": 0,
    });
    assert_eq!((&first["requests"], &third["requests"]["cpu_requested"]), (&requests, &json!(0.0)));
    assert_eq!((&gpu["device_info"]["num_requested"], cpu["device_info"].get("memory_used_bytes")), (&json!(3), None));
    assert!(third["devices"][1]["device_config"]["peak_fp16_TFLOPS"].as_f64().unwrap() > 900.0, "{third}");
    let (_, list) = house.get("clusters").await;
    let names: Vec<&str> = list["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["local", "gpus", "catalogue"]);
    assert_eq!((&list["items"][1]["nodes"], &list["items"][1]["ready_nodes"]), (&json!(3), &json!(2)));
}

/// What administrators state of a device is in the inventory as long as it is stated, live and once the cluster does not answer; memory
/// that was read stays.
#[tokio::test]
async fn nodes_have_what_is_stated_of_their_devices() {
    let (house, id) = House::with_cluster(3).await;
    let cluster = id.parse().unwrap();
    let device = async || {
        let (_, metrics) = house.get(&format!("clusters/{id}/node-metrics")).await;
        let live = metrics["nodes"][2]["devices"][1].clone();
        let last_seen = json!(house.app.last_seen(cluster).await.unwrap()[2].devices[1]);
        assert_eq!(last_seen, live);
        live
    };
    let by_data_sheet = device().await;
    let body = json!({ "device": "H100-SXM-80GB", "peak_fp16_tflops": 500, "memory_gib": 10, "memory_bandwidth_gbps": 1500 });
    let (status, stated) = house.post("device-specifications", body).await;
    assert_eq!(status, 201, "{stated}");
    let found = device().await;
    let config = json!({ "peak_fp16_TFLOPS": 500.0, "memory_bandwidth_GBps": 1500.0, "source": "stated in Settings" });
    assert_eq!(found["device_config"], config);
    assert_eq!(found["device_info"], by_data_sheet["device_info"]);
    let kept = json!(house.app.store.last_seen(cluster).await.unwrap()[2].devices[1]);
    assert_eq!(kept, by_data_sheet, "kept as the cluster told it");
    assert_eq!(house.delete(&format!("device-specifications/{}", stated["id"].as_str().unwrap())).await, 204);
    assert_eq!(device().await, by_data_sheet);
}

#[tokio::test]
async fn the_kubeconfig_is_never_answered_nor_kept_in_the_clear() {
    let (house, id) = House::with_cluster(1).await;
    for path in ["clusters".to_owned(), format!("clusters/{id}"), format!("clusters/{id}/node-metrics")] {
        let (status, body) = house.get(&path).await;
        assert!(status == 200 && !body.to_string().contains(TOKEN), "{path}");
    }
    let mut folders = vec![house.folder.path().to_owned()];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            read += bytes.len();
            assert!(bytes.windows(TOKEN.len()).all(|part| part != TOKEN.as_bytes()), "{}", path.display());
        }
    }
    assert!(read > 10_000, "the store was among what was read");
}

#[tokio::test]
async fn what_is_not_permitted_is_listed_with_the_rules_that_grant_it() {
    let (house, id) = House::with_cluster(1).await;
    let (status, test) = house.post(&format!("clusters/{id}/test"), json!({})).await;
    assert_eq!((status.as_u16(), &test["ok"], &test["version"]), (200, &json!(false), &json!("v1.33.1")), "{test}");
    let missing = test["missing"].as_array().unwrap();
    assert!(missing.len() == 1 && missing[0].as_str().unwrap().contains("secrets in dyno"), "{test}");
    let manifest = test["manifest"].as_str().unwrap();
    assert!(manifest.contains("resources: [\"secrets\"]") && manifest.contains("namespace: dyno"), "{manifest}");
    assert!(manifest.contains("name: \"bench\"\n    namespace: \"team-a\""), "granted to the kubeconfig's user: {manifest}");
}

#[tokio::test]
async fn what_is_not_permitted_is_told_when_a_cluster_is_added() {
    let house = House::open().await;
    let new = json!({"name": "gpus", "kind": "kubernetes", "kubeconfig": kubeconfig(&api_server(1).await)});
    let (status, made) = house.post("clusters", new).await;
    assert_eq!((status.as_u16(), &made["name"], &made["test"]["ok"]), (201, &json!("gpus"), &json!(false)), "{made}");
    assert!(made["test"]["missing"][0].as_str().unwrap().contains("secrets in dyno"), "{made}");
    assert!(made["test"]["manifest"].as_str().unwrap().contains("kind: RoleBinding"), "{made}");
}

#[tokio::test]
async fn a_cluster_is_changed_and_removed() {
    let (house, id) = House::with_cluster(1).await;
    let path = format!("clusters/{id}");
    let change = json!({
        "name": "more gpus", "namespace": "team-a", "cache": {"host_path": "/var/lib/dyno"}, "model_roots": ["/models/", "/models"],
        "image_pull_secrets": [" registry ", "mirror.example.org", "registry"],
    });
    let (status, changed) = house.patch(&path, change).await;
    assert_eq!(status, 200, "{changed}");
    let (_, found) = house.get(&path).await;
    assert_eq!((&found["name"], &found["namespace"]), (&json!("more gpus"), &json!("team-a")));
    assert_eq!(found["cache"], json!({"host_path": "/var/lib/dyno"}));
    assert_eq!(found["model_roots"], json!(["/models"]));
    assert_eq!(found["image_pull_secrets"], json!(["registry", "mirror.example.org"]));
    assert_eq!(found["reachable"], json!(true), "its kubeconfig is still there: {found}");
    assert!(house.patch(&path, json!({"cache": null})).await.1.get("cache").is_none());

    for (change, field) in [
        (json!({"namespace": "Team A"}), "namespace"),
        (json!({"cache": {"host_path": "/"}}), "cache"),
        (json!({"cache": {"persistent_volume_claim": "a/b"}}), "cache"),
        (json!({"model_roots": ["/models/../etc"]}), "model_roots"),
        (json!({"image_pull_secrets": ["registry", "Registry_1"]}), "image_pull_secrets"),
        (json!({"image_pull_secrets": [""]}), "image_pull_secrets"),
        (json!({"image_pull_secrets": vec!["a".repeat(64)]}), "image_pull_secrets"),
        (json!({"image_pull_secrets": vec!["a"; 21]}), "image_pull_secrets"),
        (json!({"name": " "}), "name"),
        (json!({"kind": "local"}), "kind"),
        (json!({"context": "k"}), "kubeconfig"),
        (json!({"kubeconfig": "users: 3"}), "kubeconfig"),
    ] {
        let (status, problem) = house.patch(&path, change.clone()).await;
        assert_eq!((status.as_u16(), fields(&problem).first().map(|error| error.0)), (422, Some(field)), "{change}: {problem}");
    }
    let kept = house.get(&path).await.1;
    assert_eq!(kept["image_pull_secrets"], json!(["registry", "mirror.example.org"]), "what is refused changes nothing");
    assert!(house.patch(&path, json!({"image_pull_secrets": []})).await.1.get("image_pull_secrets").is_none());
    let other = json!({"name": "More GPUs", "kind": "kubernetes", "kubeconfig": kubeconfig(&api_server(1).await)});
    assert_eq!(house.post("clusters", other).await.0, 409, "the name is taken");
    let local = house.get("clusters").await.1["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(house.patch(&format!("clusters/{local}"), json!({"name": "x"})).await.0, 409);

    assert_eq!(house.delete(&path).await, 204);
    assert_eq!(house.get(&path).await.0, 404);
}

/// Whatever is at an address: its words are not shown, neither where a cluster is added nor where one is looked at.
#[tokio::test]
async fn the_words_of_what_is_no_cluster_are_not_repeated() {
    for body in ["<h1>internal page</h1>", "{\"message\": \"internal page\"}", "{\"status\": \"internal page\"}"] {
        let answer = move || async move { (StatusCode::BAD_GATEWAY, body) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
        let house = House::open().await;
        let new = json!({"name": "k", "kind": "kubernetes", "kubeconfig": kubeconfig(&address)});
        let (status, problem) = house.post("clusters", new).await;
        let said = problem.to_string();
        assert!(status == 422 && said.contains("not Kubernetes'") && !said.contains("internal page"), "{said}");
    }
}

#[tokio::test]
async fn members_see_clusters_and_change_none() {
    let (house, id) = House::with_cluster(1).await;
    let house = house.with_member().await;
    let new = json!({"name": "k", "kind": "kubernetes", "kubeconfig": kubeconfig("https://k.example")});
    for (method, path, body) in [
        (Method::POST, "clusters".to_owned(), Some(new)),
        (Method::PATCH, format!("clusters/{id}"), Some(json!({"name": "mine"}))),
        (Method::POST, format!("clusters/{id}/test"), Some(json!({}))),
        // whatever the body holds
        (Method::POST, "clusters".to_owned(), Some(json!({"colour": 1}))),
        (Method::PATCH, format!("clusters/{id}"), Some(json!(["no object"]))),
    ] {
        assert_eq!(house.send(MEMBER, method.clone(), &path, body).await.0, 403, "{method} {path}");
    }
    let clusters = house.send(MEMBER, Method::GET, "clusters", None).await.1;
    for cluster in clusters["items"].as_array().unwrap() {
        let path = format!("clusters/{}", cluster["id"].as_str().unwrap());
        assert_eq!(house.send(MEMBER, Method::DELETE, &path, None).await.0, 403, "{cluster}");
    }
    assert_eq!(house.send(MEMBER, Method::GET, &format!("clusters/{id}/node-metrics"), None).await.0, 200);
}

/// The first three steps of a workflow, up to its cluster.
pub(super) fn steps_to_cluster(cluster: &str) -> Vec<Value> {
    let details = json!({
        "workflow_total_steps": 8, "step_number": 1, "name": "on nodes", "tags": [], "description": "", "concurrent_requests": 1,
        "eval_with": "configuration",
    });
    vec![
        details,
        json!({"step_number": 2, "max_input_tokens": 8, "max_output_tokens": 8, "num_requests": 1}),
        json!({"step_number": 3, "cluster_id": cluster}),
    ]
}

/// Without an own image no pod is made, so that the run ends there where the path is one that pods may see.
#[tokio::test]
async fn a_members_model_on_a_node_lies_below_a_folder_that_an_administrator_named() {
    let (house, cluster) = House::with_cluster(1).await;
    let house = house.with_member().await;
    assert_eq!(house.patch(&format!("clusters/{cluster}"), json!({"model_roots": ["/models"]})).await.0, 200);
    let (outside, no_image) =
        ("/srv/m is not below a folder that an administrator named", "The portal does not know its own image");
    let cases = [(MEMBER, "/srv/m", outside), (MEMBER, "/models/m", no_image), (ADMIN, "/srv/m", no_image)];
    for (number, (token, path, expected)) in cases.into_iter().enumerate() {
        let model = json!({"name": format!("m{number}"), "source": "file", "path": path, "location": "node"});
        let (status, model) = house.send(token, Method::POST, "models", Some(model)).await;
        assert_eq!(status, 201, "{model}");
        let mut steps = steps_to_cluster(&cluster);
        steps.extend([
            json!({"step_number": 4, "nodes": [{"hostname": "gpu-000"}]}),
            json!({"step_number": 5, "model_id": model["id"], "engine": "vllm", "engine_image": "engine:1"}),
            json!({"step_number": 7, "user_confirmation": true}),
            json!({"step_number": 8, "run_as_simulation": false, "trigger_workflow": true}),
        ]);
        let run = format!("runs/{}", house.workflow(token, &steps).await["run_id"].as_str().unwrap());
        let begun = std::time::Instant::now();
        let ended = loop {
            let run = house.send(token, Method::GET, &run, None).await.1;
            if run["ended_at"].is_string() {
                break run;
            }
            assert!(begun.elapsed() < std::time::Duration::from_secs(90), "{run:#}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let reason = ended["reason"].as_str().unwrap_or_default();
        assert!(ended["status"] == "failed" && reason.contains(expected), "{path}: {ended:#}");
    }
}

#[tokio::test]
async fn a_real_cluster_is_added_tested_and_read() {
    let Ok(folder) = std::env::var("DYNO_TEST_CLUSTER") else {
        eprintln!("skipped: DYNO_TEST_CLUSTER names no cluster (scripts/kubernetes/up.sh)");
        return;
    };
    let house = House::open().await;
    let add = async |user: &str| {
        let kubeconfig = std::fs::read_to_string(format!("{folder}/{user}.kubeconfig")).unwrap();
        let (status, made) = house.post("clusters", json!({"name": user, "kind": "kubernetes", "kubeconfig": kubeconfig})).await;
        assert_eq!(status, 201, "{made}");
        format!("clusters/{}", made["id"].as_str().unwrap())
    };
    let (admin, nobody) = (add("admin").await, add("nobody").await);
    let (_, test) = house.post(&format!("{admin}/test"), json!({})).await;
    assert_eq!((&test["ok"], &test["missing"]), (&json!(true), &json!([])), "{test}");
    let (_, metrics) = house.get(&format!("{admin}/node-metrics")).await;
    let nodes = metrics["nodes"].as_array().unwrap();
    assert!(!nodes.is_empty());
    for node in nodes {
        assert_eq!((&node["devices"][0]["type"], node["hostname"].is_string()), (&json!("cpu"), true), "{node}");
    }
    let (_, test) = house.post(&format!("{nobody}/test"), json!({})).await;
    assert_eq!(test["ok"], json!(false), "{test}");
    assert_eq!(test["missing"].as_array().unwrap().len(), dyno_kubernetes::required("dyno").len(), "{test}");
    assert_eq!(house.get(&format!("{nobody}/node-metrics")).await.0, 503);
}

/// What gives an owner its load pod changes nothing else of it: its deadline counts from when it was made, and is put off by a request of
/// its own.
#[tokio::test]
async fn an_owner_is_given_its_pod_and_keeps_its_deadline_until_that_is_put_off() {
    let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
    let owner = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "dyno-run-1", "namespace": "dyno", "uid": "u"},
        "spec": {"parallelism": 0, "activeDeadlineSeconds": 600, "template": {}},
        "status": {"startTime": "2027-01-15T08:00:00Z"},
    });
    let job = owner.clone();
    let change = async move |headers: axum::http::HeaderMap, Json(change): Json<Value>| {
        sent.send((headers["content-type"].to_str().unwrap().to_owned(), change)).unwrap();
        Json(job)
    };
    let path = "/apis/batch/v1/namespaces/dyno/jobs/dyno-run-1";
    let routes = axum::Router::new().route(path, get(async move || Json(owner)).patch(change));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let checked = dyno_kubernetes::check(&kubeconfig(&address), None).unwrap();
    let connection = dyno_kubernetes::Connection::with_kubeconfig(&checked.kubeconfig).await.unwrap();
    let run = dyno_kubernetes::objects::RunName { id: "1".to_owned(), namespace: "dyno".to_owned() };
    assert!(connection.owner(&run).await.unwrap().unwrap().paused);
    connection.resume(&run).await.unwrap();
    let merged = ("application/merge-patch+json".to_owned(), json!({"spec": {"parallelism": 1, "suspend": false}}));
    assert_eq!(received.recv().await.unwrap(), merged);
    // Half an hour after its start.
    connection.postpone(&run, 1_800_001_800).await.unwrap();
    let put_off = json!({"metadata": {"annotations": {"dyno/deadline": "1800001800"}}, "spec": {"activeDeadlineSeconds": 1_800}});
    assert_eq!(received.recv().await.unwrap(), ("application/merge-patch+json".to_owned(), put_off));
}
