//! What the wizard offers to choose from: read-only lists.
