//! Hypothetical nodes of every device that the simulator has a data sheet of: to ask what to buy.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{ClusterError, Driver};
use crate::domain::inventory::Node;
use crate::simulation;

/// Nodes that nobody has; always Ready, for simulation only.
#[derive(Debug, Clone, Copy)]
pub struct Catalogue;

#[async_trait]
impl Driver for Catalogue {
    async fn nodes(&self, _runs: &BTreeSet<String>) -> Result<Vec<Node>, ClusterError> {
        Ok(simulation::hypothetical_nodes())
    }
}
