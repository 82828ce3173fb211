//! The same engine over TLS: who is trusted, and that its times stay true.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use dyno_reference::{
    EngineOptions, ReferenceEngine, Running, clock::monotonic_ns, config::Dialect, tls::Certificate, truth::TruthKind,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    chat,
    client::{Client, End},
    quick,
};

fn trusting(authority: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn start(certificate: Certificate) -> Running {
    ReferenceEngine::start(EngineOptions { tls: Some(certificate), ..quick(Dialect::Vllm) }).unwrap()
}

#[test]
fn streams_and_their_truth_are_those_of_a_plain_connection() {
    let engine = start(Certificate::Own);
    assert!(engine.base_url().starts_with("https://127.0.0.1:"));
    let mut client = Client::connect_tls(engine.addr(), trusting(engine.authority().unwrap())).unwrap();
    let begun = monotonic_ns();
    let streams = [12, 3].map(|tokens| client.post("/v1/chat/completions", "", &chat(tokens)));
    let ended = monotonic_ns();
    assert!(streams.iter().all(|stream| stream.status == 200 && stream.end == End::Complete));
    // larger than what one TLS record, one read or one write takes
    let long = format!("{}{}", chat(1), " ".repeat(300_000));
    let answer = client.post("/v1/chat/completions", "", &long);
    assert_eq!((answer.status, answer.end), (200, End::Complete));
    let truth = engine.stop().unwrap();
    assert_eq!(truth.iter().map(|record| record.content().count()).collect::<Vec<_>>(), [12, 3, 1]);
    for record in &truth[..2] {
        let content: Vec<u64> = record.content().map(|event| event.mono_ns).collect();
        assert!(begun <= record.received_mono_ns && record.received_mono_ns <= content[0] && *content.last().unwrap() <= ended);
        // a write takes place when it is due or later
        assert!(record.content().all(|event| event.mono_ns >= event.due_mono_ns));
        assert!(content.windows(2).all(|pair| pair[0] < pair[1]), "each event is a write of its own");
        assert!(record.events.iter().any(|event| event.kind == TruthKind::Done));
    }
}

#[test]
fn only_who_trusts_the_authority_gets_through() {
    let (engine, other) = (start(Certificate::Own), start(Certificate::Own));
    let refused = Client::connect_tls(engine.addr(), trusting(other.authority().unwrap()));
    assert!(refused.err().is_some_and(|error| error.to_string().contains("certificate")));

    let mut plain = TcpStream::connect(engine.addr()).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut said = Vec::new();
    // closed in whatever way, after an alert
    let _ = plain.read_to_end(&mut said);
    assert_eq!(said.first(), Some(&21), "{said:?}");

    let mut client = Client::connect_tls(engine.addr(), trusting(engine.authority().unwrap())).unwrap();
    assert_eq!(client.get("/health").status, 200);
    assert!(engine.stop().unwrap().is_empty() && other.stop().unwrap().is_empty(), "no request came of it");
}

#[test]
fn a_certificate_can_be_given() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let engine = start(Certificate::Files { chain: chain.clone(), key: key.clone() });
    assert_eq!(engine.authority(), None);
    let mut client = Client::connect_tls(engine.addr(), trusting(&made.cert.pem())).unwrap();
    assert_eq!(client.get("/health").status, 200);

    // a key that is none is named
    let swapped = EngineOptions { tls: Some(Certificate::Files { chain: key, key: chain.clone() }), ..quick(Dialect::Vllm) };
    let error = ReferenceEngine::start(swapped).err().unwrap().to_string();
    assert!(error.contains("pem"), "{error}");
}
