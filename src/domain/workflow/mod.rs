//! The wizard: see the parts.
