//! Preparation before the measurement: addresses, secrets, tokenizers, prompts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::client::phase::ServerTarget;
use crate::client::stop::StopSignal;
use crate::client::tls::{TlsError, tls_config};
use crate::engine_metrics::MetricsSource;
use crate::event_sink::EventSink;
use crate::fetch::Fetch;
use crate::resolve::resolve;
use crate::stream::chunk::secrets_of;
use crate::tokens::{TokenizerError, Tokens};
use crate::workload::{Asked, Played, PromptDataset, Prompts, Turns, Wanted, WorkloadError, fit, listed};
use dyno_measure::address::{Address, AddressError};
use dyno_measure::events::LoadEventKind;
use dyno_measure::events::LogLevel;
use dyno_measure::load::Endpoint;
use dyno_measure::plan::{AuthHeader, HeaderError, Load, Plan, PlannedLengths, PlannedLoad, TokenizerChoice, Workload};
use dyno_measure::records::Records;
use dyno_measure::redactor::Redactor;

/// Why a load can't be prepared.
#[derive(Debug, thiserror::Error)]
pub enum LoadPrepareError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("The environment variable {0} is not set.")]
    KeyNotSet(String),
    #[error("The environment variable {0} holds no usable key.")]
    KeyNotUsable(String),
    /// The address policy forbids the address.
    #[error(transparent)]
    Address(io::Error),
    #[error("{0} is no name for TLS.")]
    NoTlsName(String),
    #[error("The plan names too many endpoints.")]
    TooManyEndpoints,
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Workload(#[from] WorkloadError),
}

/// The addresses of the plan's endpoints.
pub(super) fn addresses_of(plan: &Plan) -> Result<Vec<Address>, AddressError> {
    let parse = |base_url: &str| Ok(Address { policy: plan.address_policy.clone(), ..Address::parse(base_url)? });
    plan.endpoints.iter().map(|endpoint| parse(&endpoint.base_url)).collect()
}

/// The metrics endpoints of the plan's engines.
pub(super) fn metrics_of(plan: &Plan, addresses: &[Address]) -> Vec<MetricsSource> {
    let with_path = plan.endpoints.iter().zip(addresses).filter_map(|(endpoint, address)| {
        let path = format!("{}{}", address.root_path(), endpoint.metrics.as_ref()?);
        Some(MetricsSource { node: endpoint.node.clone(), address: address.clone(), path })
    });
    with_path.collect()
}

/// The request's header lines: authentication, and the plan's own headers.
pub(super) fn header_lines(plan: &Plan) -> Result<String, LoadPrepareError> {
    let mut lines = secret_of(plan)?;
    for header in &plan.headers {
        lines += &header.line(|name| std::env::var(name).ok())?;
    }
    Ok(lines)
}

fn secret_of(plan: &Plan) -> Result<String, LoadPrepareError> {
    let Some(auth) = &plan.auth else { return Ok(String::new()) };
    let secret = std::env::var(&auth.api_key_env).map_err(|_| LoadPrepareError::KeyNotSet(auth.api_key_env.clone()))?;
    let secret = secret.trim();
    if secret.is_empty() || secret.bytes().any(|byte| !(0x20..0x7F).contains(&byte)) {
        return Err(LoadPrepareError::KeyNotUsable(auth.api_key_env.clone()));
    }
    Ok(match auth.header {
        AuthHeader::Bearer => format!("authorization: Bearer {secret}\r\n"),
        AuthHeader::ApiKey => format!("api-key: {secret}\r\n"),
    })
}

pub(super) fn tls_of(plan: &Plan) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let needed = plan.endpoints.iter().any(|endpoint| endpoint.base_url.starts_with("https://"));
    if needed { tls_config(plan.ca.as_deref(), plan.ca_certificates.as_deref(), plan.insecure).map(Some) } else { Ok(None) }
}

/// Prefix of the request ids: short, and different for every run, since engines log the ids.
pub(super) fn id_prefix(plan: &Plan) -> String {
    let id = if plan.run_id.is_nil() { uuid::Uuid::new_v4() } else { plan.run_id };
    let text = id.simple().to_string();
    // the end of a UUIDv7 is random, its beginning is the time
    format!("dyno-{}", &text[20..])
}

pub(super) fn targets_of(
    plan: &Plan,
    addresses: &[Address],
    secret: &str,
    tls: Option<&Arc<ClientConfig>>,
    records: &mut Records,
) -> Result<Vec<ServerTarget>, LoadPrepareError> {
    let call = match plan.endpoint {
        Endpoint::Chat => "chat/completions",
        Endpoint::Completions => "completions",
        Endpoint::Embeddings => "embeddings",
    };
    let accept = if plan.endpoint == Endpoint::Embeddings { "application/json" } else { "text/event-stream" };
    let mut targets = Vec::new();
    for (endpoint, address) in plan.endpoints.iter().zip(addresses) {
        let node = records.nodes.iter().position(|node| *node == endpoint.node).unwrap_or_else(|| {
            records.nodes.push(endpoint.node.clone());
            records.nodes.len() - 1
        });
        let (resolved, dns_error) = match resolve(address) {
            Ok(found) if !found.is_empty() => (found, None),
            Ok(_) => (Vec::new(), Some(format!("the name {} has no address", address.host))),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Err(LoadPrepareError::Address(error)),
            Err(error) => (Vec::new(), Some(format!("the name {} did not resolve: {error}", address.host))),
        };
        let tls = match (address.tls, tls) {
            (true, Some(config)) => {
                let name =
                    ServerName::try_from(address.host.clone()).map_err(|_| LoadPrepareError::NoTlsName(address.host.clone()))?;
                Some((config.clone(), name))
            }
            _ => None,
        };
        let head = format!(
            "POST {}/{call} HTTP/1.1\r\nhost: {}\r\nuser-agent: dyno/{}\r\ncontent-type: application/json\r\naccept: {accept}\r\naccept-encoding: identity\r\n{secret}x-request-id: ",
            address.base_path,
            address.host_header(),
            env!("CARGO_PKG_VERSION"),
        );
        targets.push(ServerTarget {
            node: u16::try_from(node).map_err(|_| LoadPrepareError::TooManyEndpoints)?,
            addresses: resolved,
            dns_error,
            tls,
            redactor: Redactor::new(secrets_of(head.as_bytes())),
            head: head.into_bytes(),
            chosen: 0,
            answered: false,
            failures: 0,
            failing_since: 0,
            next_probe: 0,
            pause: 0,
        });
    }
    Ok(targets)
}

pub(super) fn tokens_of(
    plan: &Plan,
    addresses: &[Address],
    targets: &[ServerTarget],
    secret: &str,
    tls: Option<&Arc<ClientConfig>>,
    emit: &EventSink,
) -> Result<Tokens, LoadPrepareError> {
    match &plan.tokenizer {
        TokenizerChoice::None => Ok(Tokens::Estimate),
        TokenizerChoice::File { path } => {
            let tokens = Tokens::of_file(path)?;
            if let Some(line) = tokens.template_note() {
                emit(LoadEventKind::Log { level: LogLevel::Warning, line });
            }
            Ok(tokens)
        }
        TokenizerChoice::Engine => {
            let Some(address) =
                addresses.iter().zip(targets).find(|(_, target)| !target.addresses.is_empty()).map(|(address, _)| address)
            else {
                return Ok(Tokens::Estimate);
            };
            let root = address.root_path().to_owned();
            let tls = if address.tls { tls.cloned() } else { None };
            let fetch = Fetch::new(address.clone(), secret.to_owned(), tls, Duration::from_secs(5));
            let tokens = Tokens::of_engine(fetch, &root, &plan.model);
            if !tokens.exact() {
                let line = "The server has no tokenize call: lengths are estimates until its own counts are known.".to_owned();
                emit(LoadEventKind::Log { level: LogLevel::Info, line });
            }
            Ok(tokens)
        }
    }
}

pub(super) fn prompts_of(
    plan: &Plan,
    tokens: &mut Tokens,
    stop: &StopSignal,
    notes: &mut Vec<String>,
) -> Result<Prompts, LoadPrepareError> {
    let sum = |count: fn(&PlannedLoad) -> Option<u32>| {
        // the number of requests of a search is not known in advance
        if plan.search().is_some() {
            return None;
        }
        plan.load_points.iter().map(|point| count(point).map(u64::from)).sum::<Option<u64>>()
    };
    match &plan.workload {
        Workload::Synthetic { input_tokens, output_tokens, input_lengths, output_lengths, shared_prefix } => {
            let PlannedLengths { input, output } =
                PlannedLengths::new((*input_lengths, *input_tokens), (*output_lengths, *output_tokens), plan.seed);
            let wanted = Wanted {
                asked: Asked::Drawn { input, output },
                shared: *shared_prefix,
                seed: plan.seed,
                endpoint: plan.endpoint,
                prompts: [sum(|point| Some(point.warmup())), sum(PlannedLoad::requests)],
                budget: Duration::from_secs(20),
            };
            let (synthetic, said) = fit(wanted, tokens, &|| stop.is_wished())?;
            notes.extend(said);
            if *shared_prefix > 0.0 {
                notes.push(format!("Prompts share {:.0} % of their words as a prefix.", shared_prefix * 100.0));
            }
            Ok(Prompts::Synthetic(synthetic.into()))
        }
        Workload::Trace { file, max_output_tokens, context_tokens } => {
            let time_scale = plan.load_points.iter().find_map(|point| match point.load {
                Load::Trace { time_scale, .. } => Some(time_scale),
                _ => None,
            });
            let played = Played {
                time_scale: time_scale.unwrap_or(1.0),
                max_output_tokens: *max_output_tokens,
                context_tokens: *context_tokens,
                embeddings: plan.endpoint == Endpoint::Embeddings,
            };
            let (rows, said) = listed(file, played)?;
            notes.extend(said);
            let all = rows.len() as u64;
            let wanted = Wanted {
                asked: Asked::Listed(rows),
                shared: 0.0,
                seed: plan.seed,
                endpoint: plan.endpoint,
                prompts: [
                    sum(|point| Some(point.warmup())),
                    Some(sum(PlannedLoad::requests).map_or(all, |count| count.min(all))),
                ],
                budget: Duration::from_secs(20),
            };
            let (synthetic, said) = fit(wanted, tokens, &|| stop.is_wished())?;
            notes.extend(said);
            Ok(Prompts::Synthetic(synthetic.into()))
        }
        Workload::Dataset { files, max_output_tokens, multi_turn: true } => {
            notes.extend(files.iter().flat_map(|file| file.notes.iter().cloned()));
            let (turns, said) = Turns::read(files, *max_output_tokens, plan.seed, tokens)?;
            notes.extend(said);
            Ok(Prompts::Turns(turns))
        }
        Workload::Dataset { files, max_output_tokens, multi_turn: false } => {
            notes.extend(files.iter().flat_map(|file| file.notes.iter().cloned()));
            let (dataset, said) = PromptDataset::read(files, *max_output_tokens, plan.seed, sum(PlannedLoad::requests), tokens)?;
            notes.extend(said);
            Ok(Prompts::Dataset(dataset.into()))
        }
    }
}
