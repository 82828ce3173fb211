//! `/datasets`

use serde_json::json;

use super::*;

fn multipart(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        body.extend(format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"").as_bytes());
        if let Some(file_name) = file_name {
            body.extend(format!("; filename=\"{file_name}\"\r\ncontent-type: application/octet-stream").as_bytes());
        }
        body.extend(b"\r\n\r\n");
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--limit--\r\n");
    body
}

impl House {
    async fn upload(&self, token: &str, parts: &[(&str, Option<&str>, &[u8])]) -> (StatusCode, Value) {
        let request = self.request(token, Method::POST, "datasets");
        answer(request.header("content-type", "multipart/form-data; boundary=limit").body(multipart(parts))).await
    }
}

#[tokio::test]
async fn an_upload_is_parsed_and_counted() {
    let house = House::open().await.with_member().await;
    let file = b"{\"prompt\": \"a\", \"output\": \"b\"}\n{\"prompt\": \"c\"}\n";
    let (status, dataset) = house.upload(MEMBER, &[("file", Some("x.jsonl"), file), ("name", None, b" Mine ")]).await;
    assert_eq!(status, 201, "{dataset}");
    assert_eq!((&dataset["name"], &dataset["samples"], &dataset["with_reference"]), (&json!("Mine"), &json!(2), &json!(1)));
    assert_eq!((&dataset["format"], &dataset["builtin"]), (&json!("prompts"), &json!(false)));
    let id = dataset["id"].as_str().unwrap();
    let rows = house.app.config.data_dir.join(format!("datasets/{id}.jsonl"));
    assert_eq!(std::fs::read_to_string(&rows).unwrap().lines().count(), 2);
    assert_eq!(std::fs::read_dir(house.app.config.data_dir.join("uploads")).unwrap().count(), 0);

    let (_, list) = house.send(MEMBER, Method::GET, "datasets", None).await;
    assert_eq!(list["total"], 2);
    let one = format!("datasets/{id}");
    assert_eq!(house.send(MEMBER, Method::DELETE, &one, None).await.0, 204);
    assert!(!rows.exists());
    assert_eq!(house.send(MEMBER, Method::GET, &one, None).await.0, 404);
}

#[tokio::test]
async fn each_bad_line_is_named() {
    let house = House::open().await;
    let file = b"{\"prompt\": \"a\"}\n{\"prompt\": 7}\nnonsense\n";
    let (status, problem) = house.upload(ADMIN, &[("name", None, b"Bad"), ("file", Some("x.jsonl"), file)]).await;
    assert_eq!(status, 422);
    let errors = fields(&problem);
    assert_eq!(errors[0], ("file", "Line 2: prompt must be a text."));
    assert!(errors[1].0 == "file" && errors[1].1.starts_with("Line 3: not JSON: "), "{errors:?}");
    assert_eq!(std::fs::read_dir(house.app.config.data_dir.join("uploads")).unwrap().count(), 0);
    assert_eq!(house.get("datasets").await.1["total"], 1);

    for (parts, field) in [
        (&[("name", None, b"x" as &[u8])][..], "file"),
        (&[("file", Some("x.csv"), b"prompt\na\n")], "name"),
        (&[("name", None, b""), ("file", Some("x.csv"), b"prompt\na\n")], "name"),
        (&[("name", None, b"x"), ("file", Some("x.csv"), b"")], "file"),
        (&[("colour", None, b"x")], "colour"),
    ] {
        let (status, problem) = house.upload(ADMIN, parts).await;
        assert_eq!(status, 422, "{problem}");
        assert_eq!(fields(&problem)[0].0, field, "{problem}");
    }
    assert_eq!(house.send(ADMIN, Method::POST, "datasets", Some(json!({"name": "x"}))).await.0, 400);
}

#[tokio::test]
async fn one_comes_with_dyno() {
    let house = House::open().await;
    let (_, list) = house.get("datasets").await;
    let builtin = &list["items"][0];
    assert_eq!((&list["total"], &builtin["builtin"]), (&json!(1), &json!(true)));
    assert!(builtin["samples"].as_u64().unwrap() >= 60);
    let id = builtin["id"].as_str().unwrap();
    assert!(house.folder.path().join(format!("data/datasets/{id}.jsonl")).exists());
    assert_eq!(house.delete(&format!("datasets/{id}")).await, 409);
}

#[tokio::test]
async fn nothing_is_kept_of_an_upload_that_is_too_large() {
    let house = House::open().await;
    let request = house.request(ADMIN, Method::POST, "datasets").header("content-type", "multipart/form-data; boundary=limit");
    // Announced, but never sent.
    let answer = request.header("content-length", (300_u64 << 20).to_string()).body(vec![]).send().await;
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(house.get("datasets").await.1["total"], 1);
}

#[tokio::test]
async fn reading_stops_at_the_thousandth_bad_line() {
    let house = House::open().await;
    let file = "x\n".repeat(5_000);
    let (status, problem) = house.upload(ADMIN, &[("name", None, b"Bad"), ("file", Some("x.jsonl"), file.as_bytes())]).await;
    assert_eq!((status.as_u16(), problem["detail"].as_str()), (422, Some("1000 or more lines of the file have errors.")));
    assert_eq!(fields(&problem)[50], ("file", "950 more lines have errors. The lines after them were not read."));
}

#[tokio::test]
async fn a_trace_is_recognised_and_has_no_prompts() {
    let house = House::open().await;
    let file = b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5,374,44\n2023-11-16 18:15:50.5,396,110\n";
    let (status, dataset) = house.upload(ADMIN, &[("name", None, b"Day"), ("file", Some("day.csv"), file)]).await;
    assert_eq!(status, 201, "{dataset}");
    assert_eq!((&dataset["format"], &dataset["samples"]), (&json!("azure_trace"), &json!(2)));
    let facts = json!({ "span_s": 4.0, "mean_input_tokens": 385.0, "mean_output_tokens": 77.0 });
    assert_eq!((&dataset["trace"], dataset.get("mean_prompt_chars")), (&facts, None));
}
