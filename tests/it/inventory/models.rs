//! `/models`

use std::time::Duration;

use dyno_reference::{EngineOptions, ReferenceEngine, tls::Certificate};
use serde_json::{Value, json};

use super::*;

/// The smallest GGUF file that says something: an architecture and one tensor.
fn tiny_gguf() -> Vec<u8> {
    fn text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, "llama");
    text(&mut bytes, "llama.block_count");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(7_u32.to_le_bytes());
    text(&mut bytes, "token_embd.weight");
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend(8_u64.to_le_bytes());
    bytes.extend(4_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + 128, 0);
    bytes
}

#[tokio::test]
async fn a_file_says_what_it_is() {
    let house = House::open().await;
    let path = house.app.config.data_dir.join("tiny.gguf");
    std::fs::write(&path, tiny_gguf()).unwrap();
    let (status, model) =
        house.post("models", json!({"name": "tiny", "source": "file", "path": path, "location": "portal"})).await;
    assert_eq!(status, 201, "{model}");
    assert_eq!((&model["source"], &model["location"]), (&json!("file"), &json!("portal")));
    let facts = &model["facts"];
    assert_eq!((&facts["format"], &facts["architecture"]), (&json!("gguf"), &json!("llama")));
    assert_eq!((&facts["layers"], &facts["parameters"], &facts["precision"]), (&json!(7), &json!(32), &json!("F32")));

    // The digest follows.
    let one = format!("models/{}", model["id"].as_str().unwrap());
    let mut digest = json!(null);
    for _ in 0..100 {
        digest = house.get(&one).await.1["facts"]["sha256"].clone();
        if digest.is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(digest.as_str().map(str::len), Some(64));

    assert_eq!(house.get("models?search=TIN").await.1["total"], 1);
    assert_eq!(house.delete(&one).await, 204);
    assert_eq!(house.get(&one).await.0, 404);
    assert!(path.exists());
}

#[tokio::test]
async fn files_lie_below_the_model_folders_and_are_models() {
    let house = House::open().await.with_member().await;
    let data = &house.app.config.data_dir;
    std::fs::write(data.join("x.gguf"), "no model").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", data.join("link.gguf")).unwrap();
    for (path, word) in [
        ("/etc/hostname".to_owned(), "must lie below"),
        (format!("{}/../x", data.display()), "absolute path"),
        ("x.gguf".to_owned(), "absolute path"),
        (format!("{}/link.gguf", data.display()), "symbolic link"),
        (format!("{}/none.gguf", data.display()), "does not exist"),
        (format!("{}/x.gguf", data.display()), "not a GGUF file"),
        (format!("{}", data.display()), "config.json"),
        (String::new(), "Enter the path"),
    ] {
        let (status, problem) = house.post("models", json!({"name": "m", "source": "file", "path": path})).await;
        assert_eq!(status, 422, "{path}");
        let [(field, message)] = fields(&problem)[..] else { panic!("{problem}") };
        assert!(field == "path" && message.contains(word), "{path}: {message}");
    }
    // On the nodes it may lie anywhere; that is looked at when a run starts.
    let (status, model) =
        house.post("models", json!({"name": "m", "source": "file", "path": "/models/x.gguf", "location": "node"})).await;
    assert_eq!((status.as_u16(), &model["facts"]), (201, &json!(null)));
}

#[tokio::test]
async fn cloud_and_hub_models() {
    let house = House::open().await;
    let cloud = json!({"name": "c", "source": "cloud", "provider": "openai_compatible", "base_url": "http://127.0.0.1:8100", "model": "m"});
    let (status, model) = house.post("models", cloud).await;
    assert_eq!((status.as_u16(), &model["base_url"]), (201, &json!("http://127.0.0.1:8100/v1")));
    let (status, model) = house.post("models", json!({"name": "g", "source": "cloud", "provider": "groq", "model": "m"})).await;
    assert_eq!((status.as_u16(), &model["base_url"]), (201, &json!("https://api.groq.com/openai/v1")));
    let (status, model) = house.post("models", json!({"name": "h", "source": "hub", "repository": "org/name"})).await;
    assert_eq!((status.as_u16(), &model["revision"]), (201, &json!("main")));

    for (body, field) in [
        (json!({"name": "", "source": "hub", "repository": "org/name"}), "name"),
        (json!({"name": "x", "source": "disk"}), "source"),
        (json!({"name": "x", "source": "hub", "repository": "name"}), "repository"),
        (json!({"name": "x", "source": "hub", "repository": "org/name", "revision": "../x"}), "revision"),
        (json!({"name": "x", "source": "hub", "repository": "org/name", "path": "/x"}), "path"),
        (json!({"name": "x", "source": "cloud", "provider": "openai"}), "model"),
        (json!({"name": "x", "source": "cloud", "model": "m"}), "provider"),
        (json!({"name": "x", "source": "cloud", "provider": "aws", "model": "m"}), "provider"),
        (
            json!({"name": "x", "source": "cloud", "provider": "openai", "model": "m", "base_url": "https://evil.net/v1"}),
            "base_url",
        ),
        (
            json!({"name": "x", "source": "cloud", "provider": "openai_compatible", "model": "m", "base_url": "ftp://x"}),
            "base_url",
        ),
        (json!({"name": "x", "source": "hub", "repository": "org/name", "colour": 1}), "colour"),
    ] {
        let (status, problem) = house.post("models", body.clone()).await;
        assert_eq!(status, 422, "{body}");
        assert_eq!(fields(&problem)[0].0, field, "{body}: {problem}");
    }
}

#[tokio::test]
async fn how_a_certificate_is_checked_is_said_with_the_model() {
    let house = House::open().await;
    let options = EngineOptions { tls: Some(Certificate::Own), ..EngineOptions::default() };
    let engine = ReferenceEngine::start(options).unwrap();
    let pem = engine.authority().unwrap();
    let body = |base_url: &str, more: Value| {
        let mut body =
            json!({"name": "c", "source": "cloud", "provider": "openai_compatible", "base_url": base_url, "model": "m"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let https = engine.base_url();
    let (status, model) = house.post("models", body(&https, json!({"ca_certificate": format!("\n{pem}\n")}))).await;
    assert_eq!(
        (status.as_u16(), &model["ca_certificate"], model.get("insecure_skip_tls_verify")),
        (201, &json!(pem.trim()), None)
    );
    let (status, model) = house.post("models", body(&https, json!({"insecure_skip_tls_verify": true}))).await;
    assert_eq!((status.as_u16(), &model["insecure_skip_tls_verify"], model.get("ca_certificate")), (201, &json!(true), None));

    let http = "http://127.0.0.1:8100";
    let (ca, unchecked) = ("ca_certificate", "insecure_skip_tls_verify");
    for (base_url, more, field, word) in [
        (http, json!({ca: pem}), ca, "https"),
        (http, json!({unchecked: true}), unchecked, "https"),
        (&https, json!({ca: pem, unchecked: true}), unchecked, "not both"),
        (&https, json!({ca: "my certificate"}), ca, "there is none in it"),
        (&https, json!({ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}), ca, "can't be read"),
        (&https, json!({ca: format!("{pem}-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")}), ca, "private key"),
        (&https, json!({ca: pem.repeat(200)}), ca, "64 KB"),
    ] {
        let (status, problem) = house.post("models", body(base_url, more.clone())).await;
        assert_eq!(status, 422, "{more}");
        let [(got, message)] = fields(&problem)[..] else { panic!("{problem}") };
        assert!(got == field && message.contains(word), "{more}: {problem}");
    }
    let hub = json!({"name": "x", "source": "hub", "repository": "org/name", "insecure_skip_tls_verify": true});
    assert_eq!(fields(&house.post("models", hub).await.1)[0].0, unchecked);
}

#[tokio::test]
async fn a_credential_is_tested_as_its_model_is_reached() {
    let house = House::open().await;
    let options = EngineOptions { model: "m".to_owned(), tls: Some(Certificate::Own), ..EngineOptions::default() };
    let engine = ReferenceEngine::start(options).unwrap();
    let (base_url, pem) = (engine.base_url(), engine.authority().unwrap());
    let credential = json!({"name": "k", "provider": "openai_compatible", "secret": "sk-mine", "base_url": base_url});
    let (_, credential) = house.post("credentials", credential).await;
    let test = format!("credentials/{}/test", credential["id"].as_str().unwrap());
    for (more, works) in
        [(json!({}), false), (json!({"insecure_skip_tls_verify": false}), false), (json!({"ca_certificate": pem}), true)]
    {
        let mut model =
            json!({"name": "c", "source": "cloud", "provider": "openai_compatible", "base_url": base_url, "model": "m"});
        model.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(house.post("models", model).await.0, 201);
        let (_, tested) = house.post(&test, json!({})).await;
        assert_eq!(tested["ok"], works, "{more}: {tested}");
    }
}

#[tokio::test]
async fn another_persons_model_does_not_exist() {
    let house = House::open().await.with_member().await;
    let (_, model) = house.post("models", json!({"name": "h", "source": "hub", "repository": "org/name"})).await;
    let one = format!("models/{}", model["id"].as_str().unwrap());
    assert_eq!(house.send(MEMBER, Method::GET, &one, None).await.0, 404);
    assert_eq!(house.send(MEMBER, Method::DELETE, &one, None).await.0, 404);
    assert_eq!(house.send(MEMBER, Method::GET, "models", None).await.1["total"], 0);
    let (_, theirs) =
        house.send(MEMBER, Method::POST, "models", Some(json!({"name": "t", "source": "hub", "repository": "a/b"}))).await;
    assert_eq!(house.get(&format!("models/{}", theirs["id"].as_str().unwrap())).await.0, 200);
}
