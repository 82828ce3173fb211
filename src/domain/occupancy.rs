//! Runs that currently occupy a cluster's nodes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A node and the run that occupies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRun {
    pub hostname: String,
    /// The run; absent where it is another person's.
    pub run: Option<NamedRun>,
}

/// A run and the name of its benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRun {
    pub id: Uuid,
    pub name: String,
}
