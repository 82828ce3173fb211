//! The inventory's pages as a browser without scripts walks them: links, forms, redirects.

use dyno_reference::{EngineOptions, ReferenceEngine, tls::Certificate};
use reqwest::{Method, StatusCode, header};

use super::kubernetes::{api_server, kubeconfig, steps_to_cluster};
use super::{ADMIN, House, MEMBER, client};

/// A page as it was answered, and where the redirects led.
struct Page {
    status: StatusCode,
    path: String,
    html: String,
}

impl Page {
    /// The text, without tags' line breaks, must be there.
    #[track_caller]
    fn says(&self, text: &str) -> &Self {
        assert!(self.html.contains(text), "{} does not say {text:?}:\n{}", self.path, self.html);
        self
    }

    #[track_caller]
    fn keeps_quiet_about(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "{} says {text:?}", self.path);
        self
    }
}

impl House {
    async fn browse(&self, token: &str, method: Method, path: &str, body: Option<(&str, String)>) -> Page {
        let mut request = client()
            .request(method, format!("http://{}{path}", self.address))
            .bearer_auth(token)
            .header(header::ACCEPT, "text/html");
        if let Some((kind, body)) = body {
            request = request.header(header::CONTENT_TYPE, kind).body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, url) = (answer.status(), answer.url().clone());
        let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        Page { status, path, html: answer.text().await.unwrap() }
    }

    async fn page(&self, path: &str) -> Page {
        self.browse(ADMIN, Method::GET, path, None).await
    }

    async fn form(&self, function: &str, fields: &[(&str, &str)]) -> Page {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let kind = "application/x-www-form-urlencoded";
        self.browse(ADMIN, Method::POST, &format!("/api/ui/{function}"), Some((kind, body))).await
    }

    async fn post_file(&self, name: &str, file_name: &str, content: &str) -> Page {
        let part = |disposition: &str, content: &str| {
            format!("--dyno\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
        };
        let body =
            part("name=\"name\"", name) + &part(&format!("name=\"file\"; filename=\"{file_name}\""), content) + "--dyno--\r\n";
        self.browse(ADMIN, Method::POST, "/api/ui/dataset-upload", Some(("multipart/form-data; boundary=dyno", body))).await
    }
}

#[tokio::test]
async fn every_page_is_there_and_says_what_to_do_next() {
    let house = House::open().await;
    for (path, says) in [
        ("/clusters", "local"),
        ("/models", "No models yet."),
        ("/models/new", "Add a model"),
        ("/models/new?source=hub", "Repository"),
        ("/models/new?source=cloud", "Azure OpenAI"),
        ("/datasets", "comes with Dyno"),
        ("/datasets/new", "multipart/form-data"),
        ("/credentials", "No credentials yet."),
        ("/credentials/new", "autocomplete=\"off\""),
        ("/settings", "No tokens yet."),
        ("/drafts", "No drafts."),
        ("/try", "Start"),
    ] {
        let page = house.page(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        page.says(says);
    }
    for path in ["/clusters/x", "/models/018f0000-0000-7000-8000-000000000000", "/datasets/x"] {
        assert_eq!(house.page(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_refused_model_keeps_what_was_typed_and_a_good_one_is_added_and_deleted() {
    let house = House::open().await;
    let refused = house.form("model-add", &[("source", "cloud"), ("name", "Far away"), ("provider", ""), ("model", "m")]).await;
    assert!(refused.path.starts_with("/models/new?source=cloud&flash="), "{}", refused.path);
    refused.says("Choose a provider.").says("Far away").says("Error: Add a model");
    let fields = [
        ("source", "cloud"),
        ("name", "Far away"),
        ("provider", "openai_compatible"),
        ("base_url", "http://127.0.0.1:9"),
        ("model", "m"),
    ];
    let added = house.form("model-add", &fields).await;
    added.says("The model was added.").says("m at http://127.0.0.1:9/v1");
    let id = added.path.trim_start_matches("/models/").split('?').next().unwrap().to_owned();
    house.page("/models?search=far").await.says("Far away");
    house.page("/models?search=near").await.says("No models match.");
    house.form("model-delete", &[("id", &id)]).await.says("Far away was deleted.").says("No models yet.");
}

#[tokio::test]
async fn how_a_certificate_is_checked_is_entered_and_shown() {
    let house = House::open().await;
    let add = async |more: [(&str, &str); 2]| {
        let fields = [
            ("source", "cloud"),
            ("name", "Far away"),
            ("provider", "openai_compatible"),
            ("base_url", "https://127.0.0.1:9"),
            ("model", "m"),
        ];
        house.form("model-add", &[&fields[..], &more].concat()).await
    };
    let (ca, unchecked) = ("ca_certificate", "insecure_skip_tls_verify");
    let refused = add([(ca, "no certificate"), (unchecked, "false")]).await;
    refused.says("there is none in it").says("no certificate</textarea>");
    add([(ca, ""), (unchecked, "false")]).await.says("The model was added.").keeps_quiet_about("stands in between");
    add([(ca, ""), (unchecked, "true")]).await.says("not checked: whoever stands in between");
    let options = EngineOptions { tls: Some(Certificate::Own), ..EngineOptions::default() };
    let engine = ReferenceEngine::start(options).unwrap();
    add([(ca, engine.authority().unwrap()), (unchecked, "false")]).await.says("own authorities are trusted");
}

#[tokio::test]
async fn bad_lines_are_listed_at_the_file_and_a_good_file_shows_its_rows() {
    let house = House::open().await;
    house.post_file("Mine", "", "").await.says("Choose a file.").says("value=\"Mine\"");
    let bad = house.post_file("Mine", "x.jsonl", &"{ nonsense\n".repeat(60)).await;
    assert!(bad.path.starts_with("/datasets/new?flash="), "{}", bad.path);
    bad.says("60 lines of the file have errors.")
        .says("Line 50:")
        .says("10 more lines have errors.")
        .keeps_quiet_about("Line 51:");
    let good = house.post_file("Mine", "x.jsonl", "{\"prompt\": \"<b>How many?</b>\"}\n").await;
    assert!(good.path.starts_with("/datasets/") && good.status == StatusCode::OK, "{}", good.path);
    good.says("The dataset was added.").says("&lt;b&gt;How many?").says("First 1 of 1 rows");
}

#[tokio::test]
async fn a_secret_is_never_shown_again() {
    let house = House::open().await.with_member().await;
    let refused = house.form("credential-add", &[("name", "n"), ("provider", ""), ("secret", "sk-hidden")]).await;
    refused.says("Choose a provider.").keeps_quiet_about("sk-hidden");
    let added = house.form("credential-add", &[("name", "n"), ("provider", "openai"), ("secret", "sk-hidden")]).await;
    added.says("https://api.openai.com").keeps_quiet_about("sk-hidden");
    let others = house.browse(MEMBER, Method::GET, "/credentials", None).await;
    others.says("No credentials yet.");

    let made = house.form("token-add", &[("token_name", "ci")]).await;
    made.says("it is not shown again").says("Token ci");
    let token = made.html.split("<code>").nth(1).unwrap().split("</code>").next().unwrap().to_owned();
    let works = house.browse(&token, Method::GET, "/settings", None).await;
    assert_eq!(works.status, StatusCode::OK);
    // The same address once more, as a reload asks for it.
    house.page(&made.path).await.keeps_quiet_about(&token).keeps_quiet_about("it is not shown again");
}

#[tokio::test]
async fn only_administrators_see_people() {
    let house = House::open().await.with_member().await;
    house.page("/settings").await.says("Add person");
    let member = house.browse(MEMBER, Method::GET, "/settings", None).await;
    member.says("Current password").keeps_quiet_about("Add person");
    let body = serde_urlencoded::to_string([("person_name", "third"), ("role", "member")]).unwrap();
    let form = Some(("application/x-www-form-urlencoded", body));
    let refused = house.browse(MEMBER, Method::POST, "/api/ui/person-add", form).await;
    refused.says("Only administrators manage people.").keeps_quiet_about("/link/");
    let invited = house.form("person-add", &[("person_name", "third"), ("role", "member")]).await;
    invited.says("/link/").says("One-time link for third");
    house.browse(MEMBER, Method::GET, "/try", None).await.says("Only administrators can install");
}

#[tokio::test]
async fn a_hundred_nodes_are_searched_and_sorted() {
    let (house, id) = House::with_cluster(100).await;
    let page = house.page(&format!("/clusters/{id}?search=gpu-04&sort=free")).await;
    page.says("10 of 100 nodes found.").says("gpu-042").keeps_quiet_about("gpu-052");
    let page = house.page(&format!("/clusters/{id}?device=NVIDIA+L4")).await;
    page.says("1 of 100 nodes found.").says("gpu-000").keeps_quiet_about("gpu-002");
    let page = house.page(&format!("/clusters/{id}")).await;
    page.says("gpu-099").says("Cordoned").says("Test connection").says("3.2 of 8 requested");
}

/// Beside those that were ticked before, whether they match or not.
#[tokio::test]
async fn all_ready_nodes_that_match_are_selected_at_once() {
    let (house, cluster) = House::with_cluster(100).await;
    let draft = house.workflow(ADMIN, &steps_to_cluster(&cluster)).await;
    let id = draft["workflow_id"].as_str().unwrap();
    let page = house.page(&format!("/wizard/{id}/nodes")).await;
    page.says("Select all Ready that match");
    let fields =
        [("workflow_id", id), ("nodes[]", "gpu-042"), ("search", "gpu-00"), ("device", ""), ("sort", ""), ("go", "select")];
    let found = house.form("wizard-nodes", &fields).await;
    found.says("11 of 100 nodes are listed: those found, and those chosen.");
    let expected: Vec<String> = [0, 2, 3, 4, 5, 6, 7, 8, 9, 42].map(|number| format!("gpu-{number:03}")).into();
    let ticked: Vec<String> = ticked(&found.html, "nodes[]").into_iter().map(str::to_owned).collect();
    assert_eq!(ticked, expected, "gpu-001 is cordoned");

    let fields: Vec<_> =
        std::iter::once(("workflow_id", id)).chain(ticked.iter().map(|node| ("nodes[]", node.as_str()))).collect();
    house.form("wizard-nodes", &fields).await;
    let (_, draft) = house.get(&format!("workflows/{id}")).await;
    let kept: Vec<_> = draft["workflow_steps"]["nodes"].as_array().unwrap().iter().map(|node| &node["hostname"]).collect();
    assert_eq!(kept, expected.iter().collect::<Vec<_>>());
}

/// The values of a name's boxes that are ticked.
fn ticked<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let inputs = html.split("<input").skip(1).filter_map(|input| input.split('>').next());
    let of_name =
        inputs.filter(|input| input.contains(&format!("name=\"{name}\"")) && input.split(' ').any(|word| word == "checked"));
    of_name.filter_map(|input| input.split("value=\"").nth(1)?.split('"').next()).collect()
}

/// The form to add a cluster with, each field with its file's name where it is one.
async fn add_cluster(house: &House, fields: &[(&str, Option<&str>, &str)]) -> Page {
    let part = |(name, file, value): &(&str, Option<&str>, &str)| {
        let file = file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: application/yaml")).unwrap_or_default();
        format!("--dyno\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    let body = fields.iter().map(part).collect::<String>() + "--dyno--\r\n";
    let kind = "multipart/form-data; boundary=dyno";
    house.browse(ADMIN, Method::POST, "/api/ui/cluster-save", Some((kind, body))).await
}

#[tokio::test]
async fn a_kubeconfig_is_uploaded_and_its_unchecked_certificate_is_said() {
    let house = House::open().await;
    let text = kubeconfig(&api_server(1).await);
    // An empty field beside the file, as browsers send it.
    let of =
        |name: &'static str, text: &'static str| [("id", None::<&str>, ""), ("name", None, name), ("kubeconfig", None, text)];
    let uploaded = [of("uploaded", "").as_slice(), &[("file", Some("config.yaml"), text.as_str())]].concat();
    let added = add_cluster(&house, &uploaded).await;
    added.says("uploaded was added.").says("Its kubeconfig is sealed.").keeps_quiet_about("is not checked");
    added.keeps_quiet_about("token-that-nobody-may-see");

    let unchecked = text.replace("cluster: {", "cluster: {insecure-skip-tls-verify: true, ");
    assert_ne!(unchecked, text);
    let of_both = [of("unchecked", "users: 3").as_slice(), &[("file", Some("config.yaml"), unchecked.as_str())]].concat();
    let added = add_cluster(&house, &of_both).await;
    added.says("unchecked was added.").says("The certificate of this cluster is not checked");

    let no_kubeconfig = [of("wrong", "").as_slice(), &[("file", Some("picture.png"), "\u{1}PNG")]].concat();
    let refused = add_cluster(&house, &no_kubeconfig).await;
    assert!(refused.path.starts_with("/clusters/new?flash="), "{}", refused.path);
}

#[tokio::test]
async fn a_cluster_is_added_changed_and_tested_by_forms() {
    let (house, id) = House::with_cluster(1).await;
    let form = async |fields: &[(&str, &str)]| {
        let part = |(name, value): &(&str, &str)| {
            format!("--dyno\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = fields.iter().map(part).collect::<String>() + "--dyno--\r\n";
        let kind = "multipart/form-data; boundary=dyno";
        house.browse(ADMIN, Method::POST, "/api/ui/cluster-save", Some((kind, body))).await
    };
    house.page("/clusters").await.says("Add a Kubernetes cluster");
    house.page("/clusters/new").await.says("multipart/form-data");
    let hostile = "users: [{name: u, user: {token: not-to-be-shown, exec: {command: sh}}}]";
    let refused = form(&[("id", ""), ("name", "second"), ("kubeconfig", hostile), ("namespace", "team")]).await;
    assert!(refused.path.starts_with("/clusters/new?flash="), "{}", refused.path);
    refused.says("users[0].user.exec").says("value=\"second\"").says("value=\"team\"").keeps_quiet_about("not-to-be-shown");

    let new = kubeconfig(&api_server(1).await);
    let added = form(&[("id", ""), ("name", "third"), ("kubeconfig", &new)]).await;
    added.says("third was added. Its kubeconfig is sealed.").says("secrets in dyno").says("kind: RoleBinding");

    let edit = house.page(&format!("/clusters/{id}/edit")).await;
    edit.says("value=\"gpus\"").says("Save changes");
    let fields = |secrets| {
        let cache = [("cache_kind", "host_path"), ("cache", "/cache"), ("model_roots", "/a\r\n/b")];
        [("id", id.as_str()), ("name", "renamed"), ("image_pull_secrets", secrets)].into_iter().chain(cache).collect::<Vec<_>>()
    };
    let refused = form(&fields("registry\r\nNo Name")).await;
    refused.says("is no name of a Secret");
    let changed = form(&fields("registry\r\n\r\nmirror")).await;
    changed.says("renamed was changed.").says("stay in /cache on each node").says("/a, /b").says("registry, mirror");

    let tested = house.form("cluster-test", &[("id", &id)]).await;
    tested.says("v1.33.1").says("secrets in dyno").says("kind: RoleBinding");
    let member = house.with_member().await;
    let page = member.browse(MEMBER, Method::GET, "/clusters/new", None).await;
    page.says("Only administrators").keeps_quiet_about("name=\"kubeconfig\"");
    member.browse(MEMBER, Method::GET, "/clusters", None).await.keeps_quiet_about("Add a Kubernetes cluster");
    member.form("cluster-delete", &[("id", &id)]).await.says("renamed was removed");
}
