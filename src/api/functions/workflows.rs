//! The wizard: what its pages show, and what their forms save.
