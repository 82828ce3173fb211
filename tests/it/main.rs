//! Integration tests, one binary. Each module mirrors a part of the program; `support` starts a portal for them.

mod reference;
mod server;
mod store;
mod support;
