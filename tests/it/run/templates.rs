//! Chat templates are strangers': one that takes too much is refused, and takes nothing of the portal.

use serde_json::json;

use super::world::Portal;

#[tokio::test]
async fn a_chat_template_does_not_end_the_portal() {
    let portal = Portal::start().await;
    let folder = portal.model_folder().join("hf");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"model_type":"llama","num_hidden_layers":2,"hidden_size":8}"#).unwrap();
    let header = json!({ "a.weight": { "dtype": "BF16", "shape": [10, 8], "data_offsets": [0, 160] } }).to_string();
    let tensors = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 160]].concat();
    std::fs::write(folder.join("model.safetensors"), tensors).unwrap();
    let add = async |template: &str| {
        std::fs::write(folder.join("chat_template.jinja"), template).unwrap();
        let name = format!("{}-{}", template.len(), &template[..template.len().min(8)]);
        let body = json!({ "name": name, "source": "file", "path": folder, "location": "portal" });
        portal.client.post("/api/v1/models", &body).await.expect(201)["facts"]["chat_template_error"].as_str().map(str::to_owned)
    };
    assert_eq!(add("{% for message in messages %}{{ message.content }}{% endfor %}").await, None);
    assert!(add("{% colour %}").await.unwrap().contains("colour"));
    assert_eq!(add(&"a".repeat(300_000)).await.as_deref(), Some("it is longer than 256 KiB"));
    for costly in [
        // For the parser.
        &format!("{{{{ {}a }}}}", "1~".repeat(120_000)),
        "{{ '%1000000000s' | format('a') }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    ] {
        let start = &costly[..costly.len().min(60)];
        assert_eq!(add(costly).await.as_deref(), Some("it takes too much time or memory"), "{start}");
    }
    // Deep for the parser, for the compiler, and for what is dropped: enough for a stack, or not.
    let nested = "{% set n = namespace(x=1) %}{% for i in range(50000) %}{% set n.x = [n.x] %}{% endfor %}";
    for deep in [
        &format!("{{{{ {} 1 }}}}", "not ".repeat(60_000)),
        &format!("{{{{ {} 1 }}}}", "1+".repeat(120_000)),
        nested,
        &format!("{nested}{{{{ n.x }}}}"),
        &format!("{nested}{{{{ n.x | tojson }}}}"),
    ] {
        add(deep).await;
    }
}
