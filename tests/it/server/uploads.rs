//! Uploads that are too large or not well-formed: a browser gets its form back, a script a problem.

use dyno_datasets::MAX_FILE_BYTES;
use reqwest::{Body, Method, RequestBuilder, Response};

use crate::support::{TestApp, TestClient, answer};

const BOUNDARY: &str = "----of-the-tests";
pub const TYPE: &str = "multipart/form-data; boundary=----of-the-tests";

/// A form with files, as browsers write it.
pub fn multipart(parts: &[(&str, Option<&str>, &str)]) -> String {
    let mut body = String::new();
    for (name, file, text) in parts {
        let file =
            file.map(|file| format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream")).unwrap_or_default();
        body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n"));
    }
    body.push_str(&format!("--{BOUNDARY}--\r\n"));
    body
}

/// The same with a file of so many megabytes, sent piece by piece; with its length, and without.
fn large(megabytes: u64, announced: bool, request: RequestBuilder) -> RequestBuilder {
    let whole = multipart(&[("name", None, "much"), ("file", Some("much.jsonl"), "*")]);
    let (head, tail) = whole.split_once('*').unwrap();
    let (head, tail) = (head.as_bytes().to_vec(), tail.as_bytes().to_vec());
    let length = head.len() + tail.len() + (megabytes << 20) as usize;
    let piece = vec![b'x'; 1 << 20];
    let pieces = std::iter::once(head)
        .chain(std::iter::repeat_n(piece, megabytes as usize))
        .chain(std::iter::once(tail))
        .map(Ok::<_, std::io::Error>);
    let request = request.body(Body::wrap_stream(futures::stream::iter(pieces)));
    if announced { request.header("content-length", length) } else { request }
}

fn form(client: &TestClient) -> RequestBuilder {
    client.request(Method::POST, "/api/ui/dataset-upload").header("accept", "text/html").header("content-type", TYPE)
}

async fn page_after(client: &TestClient, response: Response) -> String {
    assert!(matches!(response.status().as_u16(), 302 | 303), "{}: {}", response.status(), response.text().await.unwrap());
    let to = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(to.starts_with("/datasets/new?flash="), "{to}");
    client.request(Method::GET, &to).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_file_that_is_too_large_leads_back_to_its_form() {
    let app = TestApp::start().await;
    let too_many = (MAX_FILE_BYTES >> 20) + 2;
    for announced in [true, false] {
        let response = large(too_many, announced, form(&app.admin)).send().await.unwrap();
        let html = page_after(&app.admin, response).await;
        assert!(html.contains("The file is larger than 256 MB."), "announced: {announced}: {html}");
        assert!(html.contains("id=\"f-file-error\"") && html.contains("value=\"much\""), "at the field, the name kept: {html}");
    }
    let left = std::fs::read_dir(app.app.config.data_dir.join("uploads")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing of it stays on the disk");
    let rest = app.admin.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE);
    let refused = answer(large(too_many, true, rest)).await;
    assert_eq!((refused.status.as_u16(), refused.content_type.as_str()), (413, "application/problem+json"));
}

#[tokio::test]
async fn a_header_without_its_boundary_is_told() {
    let app = TestApp::start().await;
    for kind in ["multipart/form-data", "multipart/form-data; boundary=", "text/plain", "multipart/form-data; boundary=\u{e4}"] {
        let body = multipart(&[("name", None, "mine")]);
        let request = app.admin.request(Method::POST, "/api/ui/dataset-upload").header("accept", "text/html");
        let response = request.header("content-type", kind).body(body.clone()).send().await.unwrap();
        let html = page_after(&app.admin, response).await;
        assert!(html.contains("The upload was not understood."), "{kind}: {html}");
        for path in ["/api/ui/dataset-upload", "/api/v1/datasets"] {
            let request = app.admin.request(Method::POST, path).header("content-type", kind).body(body.clone());
            let refused = answer(request).await;
            assert_eq!(
                (refused.status.as_u16(), refused.content_type.as_str()),
                (400, "application/problem+json"),
                "{path} {kind}"
            );
        }
    }
}

/// The parser would keep it until it ends.
#[tokio::test]
async fn an_upload_whose_heads_do_not_end_is_refused() {
    let app = TestApp::start().await;
    let whole = multipart(&[("name", None, "much"), ("file", Some("*"), "row")]);
    let (begin, _) = whole.split_once('*').unwrap();
    for begin in [begin, "no boundary"] {
        let endless = || {
            let begin = std::iter::once(begin.as_bytes().to_vec());
            let pieces = begin.chain(std::iter::repeat_n(vec![b'y'; 1 << 10], 1 << 14)).map(Ok::<_, std::io::Error>);
            Body::wrap_stream(futures::stream::iter(pieces))
        };
        let request = app.admin.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE).body(endless());
        // the connection may be closed before all was sent
        if let Ok(response) = request.send().await {
            assert_eq!(response.status(), 400);
            let text = response.text().await.unwrap_or_default();
            assert!(text.contains("The head of a part of the upload is longer than 16 KB."), "{text}");
        }
    }
    let long = "x".repeat(20 << 10);
    let body = multipart(&[("name", None, "much"), ("file", Some(&long), "row")]);
    let request = app.admin.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE).body(body.clone());
    let refused = answer(request).await;
    assert_eq!((refused.status.as_u16(), refused.content_type.as_str()), (400, "application/problem+json"));
    let html = page_after(&app.admin, form(&app.admin).body(body).send().await.unwrap()).await;
    assert!(html.contains("The upload ended before it was complete."), "{html}");
    assert_eq!(app.admin.get("/api/v1/datasets").await.expect(200)["total"], 1, "only the built-in one");
}

#[tokio::test]
async fn an_upload_that_is_no_dataset_is_told_at_its_fields() {
    let app = TestApp::start().await;
    let body = multipart(&[("name", None, ""), ("file", Some("rows.jsonl"), "not json\n")]);
    let html = page_after(&app.admin, form(&app.admin).body(body.clone()).send().await.unwrap()).await;
    assert!(html.contains("Enter a name."), "{html}");
    let request = app.admin.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE);
    let body = multipart(&[("name", None, "rows"), ("file", Some("rows.jsonl"), "not json\n")]);
    assert_eq!(answer(request.body(body)).await.fields(), ["file"]);
}

fn rows(count: usize) -> String {
    let row = format!("{{\"prompt\":\"{}\"}}\n", "x".repeat(1000));
    row.repeat(count)
}

#[tokio::test]
async fn a_persons_datasets_have_a_quota() {
    let app = TestApp::with(|args| args.upload_quota_mb = Some(1)).await;
    let anna = app.member("anna").await;
    let upload = async |client: &TestClient, name: &str, count: usize| {
        let body = multipart(&[("name", None, name), ("file", Some("rows.jsonl"), &rows(count))]);
        answer(client.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE).body(body)).await
    };
    let first = upload(&anna, "first", 600).await.expect(201);
    let refused = upload(&anna, "second", 600).await;
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().contains("of the 1 MB"), "{}", refused.body);
    assert_eq!(refused.fields(), ["file"]);
    assert_eq!(upload(&anna, "alone too large", 1100).await.fields(), ["file"]);
    upload(&app.admin, "of another person", 600).await.expect(201);
    for folder in ["uploads", "datasets"] {
        let left = std::fs::read_dir(app.app.config.data_dir.join(folder)).unwrap().count();
        assert_eq!(left, if folder == "uploads" { 0 } else { 3 }, "nothing of what was refused stays in {folder}");
    }
    let id = first["id"].as_str().unwrap();
    assert_eq!(anna.delete(&format!("/api/v1/datasets/{id}")).await.status, 204);
    upload(&anna, "second", 600).await.expect(201);
}

/// What stands before the file may not be long, however long the whole may be.
#[tokio::test]
async fn long_texts_beside_a_file_are_refused() {
    let app = TestApp::start().await;
    let long = "x".repeat(20_000);
    for (field, path) in [("name", "/api/v1/datasets"), ("name", "/api/ui/dataset-upload"), ("form", "/api/ui/dataset-upload")] {
        let body = multipart(&[(field, None, &long), ("file", Some("rows.jsonl"), &rows(1))]);
        let request = app.admin.request(Method::POST, path).header("content-type", TYPE).header("accept", "text/html");
        let response = request.body(body).send().await.unwrap();
        if path.starts_with("/api/v1") {
            assert_eq!(response.status(), 422);
        } else {
            let html = page_after(&app.admin, response).await;
            assert!(html.contains("The text is too long."), "{field}: {html}");
        }
    }
    assert_eq!(app.admin.get("/api/v1/datasets").await.expect(200)["total"], 1, "only the built-in one");
}

/// The quota is the person's, whichever way a file comes.
#[tokio::test]
async fn the_quota_holds_for_the_form_too() {
    let app = TestApp::with(|args| args.upload_quota_mb = Some(1)).await;
    let anna = app.member("anna").await;
    let body = multipart(&[("name", None, "much"), ("file", Some("rows.jsonl"), &rows(1100))]);
    let html = page_after(&anna, form(&anna).body(body).send().await.unwrap()).await;
    assert!(html.contains("of the 1 MB") && html.contains("id=\"f-file-error\""), "{html}");
    let left = std::fs::read_dir(app.app.config.data_dir.join("datasets")).unwrap().count();
    assert_eq!(left, 1, "only the built-in one");
}

/// A row takes some times its length while it is read.
#[tokio::test]
async fn files_are_read_one_at_a_time() {
    let app = TestApp::start().await;
    let turn = app.app.dataset_imports.clone().acquire_owned().await.unwrap();
    let body = multipart(&[("name", None, "waits"), ("file", Some("rows.jsonl"), &rows(1))]);
    let request = app.admin.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE).body(body);
    let upload = tokio::spawn(answer(request));
    let (uploads, datasets) = (app.app.config.data_dir.join("uploads"), app.app.config.data_dir.join("datasets"));
    let has_come = || {
        let mut files = std::fs::read_dir(&uploads).into_iter().flatten().flatten();
        files.any(|file| file.metadata().is_ok_and(|file| file.len() > 1000))
    };
    while !has_come() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(std::fs::read_dir(&datasets).unwrap().count(), 1, "only the built-in one while another is being read");
    drop(turn);
    upload.await.unwrap().expect(201);
}

#[tokio::test]
async fn rows_that_were_left_out_or_changed_are_told_on_the_datasets_page() {
    let app = TestApp::start().await;
    let rows = "{\"prompt\":\"half \\ud83d\"}\n{\"prompt\":\"\"}\n{\"prompt\":\"whole\"}\n";
    let body = multipart(&[("name", None, "rows"), ("file", Some("rows.jsonl"), rows)]);
    let request = app.admin.request(Method::POST, "/api/v1/datasets").header("content-type", TYPE).body(body);
    let made = answer(request).await.expect(201);
    let path = format!("/datasets/{}", made["id"].as_str().unwrap());
    let html = app.admin.request(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("the prompt is empty") && html.contains("In 1 of 2 rows"), "{html}");
}

/// The parser of multipart forms panics at a body that is none; whoever calls it is to be guarded.
#[tokio::test]
async fn a_body_of_another_kind_is_no_failure_of_any_function() {
    let app = TestApp::start().await;
    let bodies = [
        (None, ""),
        (Some("text/plain"), "x"),
        (Some("application/json"), "[]"),
        (Some("multipart/form-data"), "x"),
        (Some("multipart/form-data; boundary="), "x"),
        (Some("multipart/form-data; boundary=b"), "x"),
    ];
    let mut tried = 0;
    for (path, method) in server_fn::axum::server_fn_paths() {
        assert_eq!(method.as_str(), "POST", "{path}");
        for (kind, body) in bodies {
            let mut request = app.admin.request(Method::POST, path).body(body);
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let got = answer(request).await;
            assert_ne!(got.status, 500, "{path}, {kind:?}: {}", got.body);
        }
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
    let refused =
        answer(app.admin.request(Method::POST, "/api/ui/cluster-save").header("content-type", "text/plain").body("x")).await;
    assert_eq!((refused.status.as_u16(), refused.content_type.as_str()), (400, "application/problem+json"));
}
