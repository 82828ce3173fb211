//! Whether a model fits where it is to be served under a load, and how its copies are laid out over the nodes. The wizard's
//! confirmation and the run ask the same function. Pure.

use super::devices::{DealError, Share, deal};
use super::memory::{self, Need, Shortfall};
use super::recipes::Recipe;
use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::inventory::{ModelFacts, Node};
use dyno_measure::load::{Endpoint, EvalWith, LoadSpec};
use dyno_measure::plan::{PlannedLoad, load_points};
use dyno_measure::words::{self, grouped};

/// Tokens that a request may have over what was asked for: special tokens, and estimates that fell short.
pub const MARGIN: u32 = 64;

/// What a load asks of all engines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Longest request, input and output, tokens.
    pub request_tokens: u32,
    /// Whether that is what was asked for, rather than an estimate from a dataset's rows.
    pub is_exact: bool,
    /// Most requests in flight, over all load points and a search's bounds.
    pub in_flight: u32,
}

impl Demand {
    /// Of a load; `longest_row` is that of its datasets, tokens.
    pub fn of(load: &LoadSpec, is_trace: bool, longest_row: Option<u32>) -> Self {
        let is_exact = load.eval_with == EvalWith::Configuration;
        let request_tokens = if is_exact {
            let output = if load.endpoint() == Endpoint::Embeddings { 0 } else { load.max_output_tokens.unwrap_or(0) };
            load.max_input_tokens.unwrap_or(0).saturating_add(output)
        } else {
            longest_row.unwrap_or(0)
        };
        let most = load_points(load, is_trace).iter().map(PlannedLoad::cap).max();
        Self { request_tokens, is_exact, in_flight: most.unwrap_or(1).max(1) }
    }
}

/// What each engine must be able to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextDemand {
    /// Longest request in tokens, input and output.
    pub context: u32,
    /// Requests in flight at once.
    pub in_flight: u32,
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct FitInput<'a> {
    pub recipe: &'a dyn Recipe,
    /// Absent for a hub model before its first transfer: then memory is not looked at.
    pub facts: Option<&'a ModelFacts>,
    /// As they are now.
    pub nodes: &'a [Node],
    pub choices: &'a [NodeChoice],
    pub serving: &'a Serving,
    pub demand: Demand,
}

/// How a model is laid out over nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The copies, node by node.
    pub copies: Vec<(Node, Share)>,
    pub shape: ContextDemand,
    /// Requests that an engine works on at once; the others wait in it.
    pub slots: u32,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Of each node whose free memory is known.
    pub memory: Vec<NodeMemory>,
}

impl Layout {
    /// Why it does not fit, of the first node where it does not.
    pub fn shortfall(&self) -> Option<Shortfall> {
        self.memory.iter().find_map(NodeMemory::shortfall)
    }
}

/// What the copies on one node need, beside what is free there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMemory {
    pub hostname: String,
    pub need: Need,
    /// Copies that share the memory: all of a node's on the host, one on its devices.
    pub copies: u32,
    /// Bytes; of accelerators, those of the copy that has the least.
    pub available: u64,
    pub is_accelerated: bool,
}

impl NodeMemory {
    /// That it does not fit, with the numbers.
    pub fn shortfall(&self) -> Option<Shortfall> {
        let what = if self.is_accelerated { "the chosen devices have".to_owned() } else { format!("{} has", self.hostname) };
        memory::check(self.need, self.copies, self.available, &what).err()
    }

    /// That it fits, with the numbers.
    pub fn sentence(&self) -> String {
        let total = words::bytes(self.need.total().saturating_mul(u64::from(self.copies)));
        let free = words::bytes(self.available);
        if self.is_accelerated {
            format!("A copy of the model needs about {total}; its devices on {} have {free} free.", self.hostname)
        } else {
            format!("The model needs about {total}; {} has {free} free.", self.hostname)
        }
    }
}

/// Why a model can't be served as chosen, whatever memory there is; the text is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    #[error(transparent)]
    Devices(#[from] DealError),
    #[error("{0} can't read this model's format.")]
    Format(&'static str),
    #[error("Input and output together are {asked} tokens; the model's context has {limit}.")]
    Context { asked: String, limit: String },
}

/// Lays a model out over its nodes, and compares what it needs with what they have.
///
/// # Errors
/// What can't be served as chosen, whatever memory there is.
pub fn layout(input: FitInput<'_>) -> Result<Layout, FitError> {
    let FitInput { recipe, facts, nodes, choices, serving, demand } = input;
    if let Some(facts) = facts
        && !recipe.formats().contains(&facts.format)
    {
        return Err(FitError::Format(recipe.kind().title()));
    }
    let mut copies = Vec::new();
    for choice in choices {
        let Some(node) = nodes.iter().find(|node| node.hostname == choice.hostname) else { continue };
        let shares = deal(node, choice, serving, recipe.spreads_by_itself())?;
        copies.extend(shares.into_iter().map(|share| (node.clone(), share)));
    }
    let shape = shape(demand, facts, copies.len() as u32)?;
    let slots = shape.in_flight.min(recipe.most_slots());
    let mut notes = Vec::new();
    if slots < shape.in_flight {
        notes.push(format!("{} works on at most {slots} requests at once; the others wait in it.", recipe.kind().title()));
    }
    let mut memory = Vec::new();
    if let Some(facts) = facts {
        let tokens = u64::from(shape.context) * if recipe.reserves_all_slots() { u64::from(slots) } else { 1 };
        for choice in choices {
            let here: Vec<&(Node, Share)> = copies.iter().filter(|(node, _)| node.hostname == choice.hostname).collect();
            memory.extend(node_memory(&here, facts, tokens));
        }
    }
    Ok(Layout { copies, shape, slots, notes, memory })
}

/// What each of so many engines must be able to take.
fn shape(demand: Demand, facts: Option<&ModelFacts>, engines: u32) -> Result<ContextDemand, FitError> {
    let mut context = demand.request_tokens.saturating_add(MARGIN);
    if let Some(limit) = facts.and_then(|facts| facts.context_length) {
        if demand.is_exact && demand.request_tokens > limit {
            let (asked, limit) = (grouped(demand.request_tokens.into()), grouped(limit.into()));
            return Err(FitError::Context { asked, limit });
        }
        // Longer rows of a dataset are left out by the load.
        context = context.min(limit);
    }
    Ok(ContextDemand { context, in_flight: demand.in_flight.div_ceil(engines.max(1)) })
}

fn node_memory(copies: &[&(Node, Share)], facts: &ModelFacts, tokens: u64) -> Option<NodeMemory> {
    let (node, first) = copies.first()?;
    let hostname = node.hostname.clone();
    if !first.is_accelerated() {
        let available = node.usage.as_ref()?.memory_available_bytes;
        let need = memory::need(facts, tokens, 0);
        return Some(NodeMemory { hostname, need, copies: copies.len() as u32, available, is_accelerated: false });
    }
    let free = |share: &Share| -> Option<u64> {
        let of = |device: &crate::domain::inventory::Device| {
            let info = &device.device_info;
            info.memory_bytes.map(|all| all.saturating_sub(info.memory_used_bytes.unwrap_or(0)))
        };
        share.devices.iter().map(of).sum()
    };
    let frees: Option<Vec<u64>> = copies.iter().map(|(_, share)| free(share)).collect();
    let need = memory::need(facts, tokens, first.devices.len() as u32);
    Some(NodeMemory { hostname, need, copies: 1, available: frees?.into_iter().min()?, is_accelerated: true })
}

#[cfg(test)]
mod tests;
