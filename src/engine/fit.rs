//! Determines whether a model fits on the chosen nodes under a load, and how its copies are laid out. The wizard's confirmation
//! and the run call the same function. Pure.

use super::devices::{AssignError, Share, Supply, assign_devices};
use super::memory::{self, Need, Shortfall};
use super::recipes::Recipe;
use crate::domain::benchmark::{NodeChoice, Serving};
use crate::domain::inventory::{Device, ModelFacts, Node, NodeRequests};
use dyno_measure::load::{Endpoint, EvalWith, LoadSpec};
use dyno_measure::plan::{PlannedLoad, load_points};
use dyno_measure::words::{self, grouped};

/// Tokens that a request may have in addition to the requested ones: special tokens, and estimates that were too low.
pub const MARGIN: u32 = 64;

/// What a load requires of all engines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Longest request, input and output, tokens.
    pub request_tokens: u32,
    /// Whether that is exact rather than an estimate from a dataset's rows.
    pub is_exact: bool,
    /// Most requests in flight, over all load points and a search's bounds.
    pub in_flight: u32,
}

impl Demand {
    /// The demand of a load; `longest_row` is the longest row of its datasets, tokens.
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

/// What a load requires of each engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextDemand {
    /// Longest request in tokens, input and output.
    pub context: u32,
    /// Requests in flight at once.
    pub in_flight: u32,
}

#[derive(Clone, Copy)]
pub struct FitInput<'a> {
    pub recipe: &'a dyn Recipe,
    /// Absent for a hub model before its first transfer: memory is then not checked.
    pub facts: Option<&'a ModelFacts>,
    pub nodes: &'a [Node],
    pub choices: &'a [NodeChoice],
    pub serving: &'a Serving,
    pub demand: Demand,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// The copies, node by node.
    pub copies: Vec<(Node, Share)>,
    pub shape: ContextDemand,
    /// Requests that an engine processes at once; further ones wait in its queue.
    pub slots: u32,
    pub notes: Vec<String>,
    /// Memory of each node where it is known.
    pub memory: Vec<NodeMemory>,
}

impl Layout {
    /// The shortfall of the first node where the model does not fit.
    pub fn shortfall(&self) -> Option<Shortfall> {
        self.memory.iter().find_map(NodeMemory::shortfall)
    }
}

/// Required and available memory of the copies on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMemory {
    pub hostname: String,
    pub need: Need,
    /// Number of copies that share the memory: all of a node's on the host, one on its devices.
    pub copies: u32,
    /// Available bytes; for accelerators, of the copy with the least.
    pub available: u64,
    pub is_accelerated: bool,
}

impl NodeMemory {
    /// The shortfall, if it does not fit.
    pub fn shortfall(&self) -> Option<Shortfall> {
        let what = if self.is_accelerated { "the chosen devices have".to_owned() } else { format!("{} has", self.hostname) };
        memory::check(self.need, self.copies, self.available, &what).err()
    }

    /// A sentence that it fits, with the numbers.
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

/// Why a model can't be served as chosen, regardless of memory; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    #[error(transparent)]
    Devices(#[from] AssignError),
    #[error("{0} can't read this model's format.")]
    Format(&'static str),
    #[error("Input and output together are {asked} tokens; the model's context has {limit}.")]
    Context { asked: String, limit: String },
}

/// Lays a model out over its nodes, and compares required with available memory.
///
/// # Errors
/// When the model can't be served as chosen, regardless of memory.
pub fn layout(input: FitInput<'_>) -> Result<Layout, FitError> {
    let FitInput { recipe, facts, nodes, choices, serving, demand } = input;
    if let Some(facts) = facts
        && !recipe.kind().formats().contains(&facts.format)
    {
        return Err(FitError::Format(recipe.kind().title()));
    }
    let mut copies = Vec::new();
    for choice in choices {
        let Some(node) = nodes.iter().find(|node| node.hostname == choice.hostname) else { continue };
        let shares = assign_devices(node, choice, serving, recipe.spreads_by_itself(), Supply::Unrequested)?;
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

/// The demand on each of `engines` engines.
fn shape(demand: Demand, facts: Option<&ModelFacts>, engines: u32) -> Result<ContextDemand, FitError> {
    let mut context = demand.request_tokens.saturating_add(MARGIN);
    if let Some(limit) = facts.and_then(|facts| facts.context_length) {
        if demand.is_exact && demand.request_tokens > limit {
            let (asked, limit) = (grouped(demand.request_tokens.into()), grouped(limit.into()));
            return Err(FitError::Context { asked, limit });
        }
        // the load leaves out longer rows of datasets
        context = context.min(limit);
    }
    Ok(ContextDemand { context, in_flight: demand.in_flight.div_ceil(engines.max(1)) })
}

fn node_memory(copies: &[&(Node, Share)], facts: &ModelFacts, tokens: u64) -> Option<NodeMemory> {
    let (node, first) = copies.first()?;
    let hostname = node.hostname.clone();
    if !first.is_accelerated() {
        // Where a scheduler gives memory out, it counts what was requested, not what is in use.
        let unrequested = node.requests.as_ref().map(NodeRequests::free_memory_bytes);
        let available = unrequested.or_else(|| Some(node.usage.as_ref()?.memory_available_bytes))?;
        let need = memory::need(facts, tokens, 0);
        return Some(NodeMemory { hostname, need, copies: copies.len() as u32, available, is_accelerated: false });
    }
    let free = |share: &Share| -> Option<u64> { share.devices.iter().map(Device::free_memory_bytes).sum() };
    let frees: Option<Vec<u64>> = copies.iter().map(|(_, share)| free(share)).collect();
    let need = memory::need(facts, tokens, first.devices.len() as u32);
    Some(NodeMemory { hostname, need, copies: 1, available: frees?.into_iter().min()?, is_accelerated: true })
}

#[cfg(test)]
mod tests;
