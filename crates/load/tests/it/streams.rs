//! Recorded streams of real engines, cut anywhere; and TLS.

use std::path::PathBuf;
use std::sync::Arc;

use dyno_load::stream::chunk::Chunk;
use dyno_load::stream::sse::Sse;
use proptest::prelude::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::scripted::{Bench, Left, STREAM, Scripted, Then, chunk, ending, good_answer, say, word};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A recording's body (without framing), and its content events, input and output tokens.
fn recording(name: &str) -> (String, [u32; 3]) {
    let text = std::fs::read_to_string(fixture("streams").join(name)).unwrap();
    let body = text.split_once("\r\n\r\n").map_or(text.clone(), |(_, body)| body.to_owned());
    let figures = match name {
        "llamacpp_chat.txt" => [24, 37, 24],
        "vllm_chat.txt" => [7, 37, 8],
        _ => [5, 4, 5],
    };
    (body, figures)
}

#[test]
fn recordings_mean_the_same_in_any_cut_and_with_any_line_end() {
    for name in ["llamacpp_chat.txt", "vllm_chat.txt", "vllm_completions.txt"] {
        let (body, [events, input, output]) = recording(name);
        for (end, cut) in [("\n", 1), ("\r\n", 3), ("\r", 7), ("\r\n", 1)] {
            let body = body.replace('\n', end);
            let server = Scripted::start(move |_, out| {
                let framed: String = STREAM.to_owned() + &chunk(&body) + "0\r\n\r\n";
                for piece in framed.as_bytes().chunks(cut * 97) {
                    let _ = out.write_all(piece);
                    let _ = out.flush();
                }
                Then::GoOn
            });
            let left = Bench::new(&server.url(), 3).run();
            for record in &left.records {
                assert_eq!((record.error.as_deref(), record.events), (None, events), "{name} {end:?} {cut}");
                assert_eq!((record.input_tokens, record.output_tokens), (Some(input), Some(output)));
            }
        }
    }
}

#[path = "../../fuzz/fuzz_targets/invariants.rs"]
mod invariants;

/// One change to a recording.
#[derive(Debug, Clone)]
enum Change {
    Replace(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Repeat(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    let pieces = prop::sample::select(vec![
        "\r\n",
        "\n\n",
        "\r",
        "data:",
        "data: [DONE]\n\n",
        "event: error\n",
        ": ping\n\n",
        "\u{feff}",
        "0\r\n\r\n",
        "ffffffff\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "content-encoding: gzip\r\n",
        "{",
        "{\"error\":{\"message\":\"x\"}}\n",
        "<html>\n",
        "\"message\":{\"content\":\"x\"},",
        "\"reasoning_details\":[{\"text\":\"x\"}],",
        "\"finish_reason\":\"\",",
        "\"",
        "\\u",
        "[[[[[[[[",
    ]);
    prop_oneof![
        any::<u8>().prop_map(Change::Replace),
        prop::collection::vec(any::<u8>(), 1..9).prop_map(Change::Insert),
        pieces.prop_map(|piece| Change::Insert(piece.as_bytes().to_vec())),
        (1..200_usize).prop_map(Change::Remove),
        (1..200_usize).prop_map(Change::Repeat),
    ]
}

fn change(bytes: &mut Vec<u8>, at: usize, change: Change) {
    match change {
        Change::Replace(byte) => {
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
        }
        Change::Insert(piece) => drop(bytes.splice(at..at, piece)),
        Change::Remove(length) => drop(bytes.drain(at..(at + length).min(bytes.len()))),
        Change::Repeat(length) => {
            let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
            drop(bytes.splice(at..at, piece));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// The fuzz target's invariants, on damaged recordings.
    #[test]
    fn damaged_recordings_are_read_the_same_in_any_cut(
        which in 0..3_usize,
        framed in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_change()), 0..6),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let (body, _) = recording(["llamacpp_chat.txt", "vllm_chat.txt", "vllm_completions.txt"][which]);
        let mut bytes = if framed { format!("{STREAM}{}0\r\n\r\n", chunk(&body)) } else { body }.into_bytes();
        for (place, one) in changes {
            let at = place.index(bytes.len() + 1);
            change(&mut bytes, at, one);
        }
        invariants::check(&bytes, &cuts);
    }
}

/// Of an event: whether it has content, its finish reason, its output tokens, its text.
type Meaning = (bool, Option<String>, Option<u32>, Vec<u8>);

/// Parses a stream fed in pieces.
fn meaning(pieces: &[&[u8]]) -> Vec<Meaning> {
    let mut sse = Sse::default();
    let mut all = Vec::new();
    for piece in pieces {
        sse.feed(piece, |event| {
            if event.data != b"[DONE]" {
                let mut text = Vec::new();
                let chunk = Chunk::read(event.data, Some(&mut text)).unwrap();
                let finish = chunk.finish.map(|reason| String::from_utf8(reason.to_vec()).unwrap());
                all.push((chunk.content(), finish, chunk.usage.and_then(|usage| usage.completion), text));
            }
        })
        .unwrap();
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_cut_does_not_matter(which in 0..3_usize, cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..40)) {
        let (body, _) = recording(["llamacpp_chat.txt", "vllm_chat.txt", "vllm_completions.txt"][which]);
        let bytes = body.as_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(meaning(&pieces), meaning(&[bytes]));
    }
}

#[test]
fn a_megabyte_in_one_event_and_reasoning_before_the_answer() {
    let server = Scripted::start(|_, out| {
        let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
        say(out, &format!("{STREAM}{}", chunk(thought)), 60);
        say(out, &chunk(&word(&"é".repeat(600_000))), 0);
        say(out, &ending(9, 30), 0);
        Then::GoOn
    });
    let left = Bench::new(&server.url(), 2).run();
    let record = &left.records[0];
    assert_eq!((record.error.as_deref(), record.events), (None, 2));
    assert!(record.ttfo_ms.unwrap() - record.ttft_ms.unwrap() > 50.0);
}

/// TLS for localhost with these ALPN protocols.
fn tls_server(protocols: &[&[u8]]) -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_file(fixture("tls/localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("tls/localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

#[test]
fn a_server_that_speaks_http_2_only_is_named() {
    let config = tls_server(&[b"h2"]);
    let server = Scripted::start_with(
        move |stream| Box::new(rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), stream)),
        |_, _| Then::Close,
    );
    let bench = Bench::new(&format!("https://localhost:{}", server.address.port()), 2);
    let authority = fixture("tls/ca.pem");
    let left = bench.left_by(bench.start_in(&[("SSL_CERT_FILE", authority.to_str().unwrap())]));
    assert_eq!(left.report.summary.errors.get("tls"), Some(&2), "{:?}", left.report.error_examples);
    assert!(left.records[0].error.as_ref().unwrap().contains("HTTP/2 only"), "{:?}", left.records[0].error);
}

#[test]
fn tls_keeps_the_kernels_times() {
    let config = tls_server(&[]);
    let server = Scripted::start_with(
        move |stream| Box::new(rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), stream)),
        |_, out| {
            say(out, STREAM, 50);
            (0..5).for_each(|_| say(out, &chunk(&word("x ")), 20));
            say(out, &ending(20, 5), 0);
            Then::GoOn
        },
    );
    let url = format!("https://localhost:{}", server.address.port());
    let bench = Bench::new(&url, 6);
    // an untrusted certificate is refused
    let refused = bench.run();
    assert_eq!(refused.report.summary.errors.get("tls"), Some(&6), "{:?}", refused.report.error_examples);

    let authority = fixture("tls/ca.pem");
    let left = bench.left_by(bench.start_in(&[("SSL_CERT_FILE", authority.to_str().unwrap())]));
    let summary = &left.report.summary;
    assert_eq!(summary.successful_requests, 6, "{:?}", left.report.error_examples);
    assert!(summary.itl_ms.as_ref().unwrap().min > 15.0 && summary.itl_ms.as_ref().unwrap().n == 24);
    assert!(summary.ttft_ms.as_ref().unwrap().min > 49.0);
    assert_eq!(left.report.client.timestamps, "kernel");
}

#[test]
fn a_certificate_of_ones_own_is_named_or_not_checked() {
    let config = tls_server(&[]);
    let server = Scripted::start_with(
        move |stream| Box::new(rustls::StreamOwned::new(rustls::ServerConnection::new(config.clone()).unwrap(), stream)),
        |_, out| {
            say(out, &good_answer(2), 0);
            Then::GoOn
        },
    );
    let mut bench = Bench::new(&format!("https://localhost:{}", server.address.port()), 2);
    let refused = bench.run();
    assert!(refused.records[0].error.as_ref().unwrap().contains("--ca"), "{:?}", refused.records[0].error);
    bench.plan["ca"] = fixture("tls/ca.pem").to_str().unwrap().into();
    let trusted = bench.run();
    assert_eq!(trusted.report.summary.successful_requests, 2, "{:?}", trusted.report.error_examples);
    let unchecked = |left: &Left| left.report.notes.iter().any(|note| note.text.contains("was not checked"));
    assert!(!unchecked(&trusted));

    bench.plan.as_object_mut().unwrap().remove("ca");
    bench.plan["insecure"] = true.into();
    // the certificate is for localhost: with `insecure` the name is not checked either
    bench.plan["endpoints"][0]["base_url"] = format!("https://127.0.0.1:{}", server.address.port()).into();
    let taken = bench.run();
    assert_eq!(taken.report.summary.successful_requests, 2, "{:?}", taken.report.error_examples);
    assert!(unchecked(&taken), "{:?}", taken.report.notes);
}
