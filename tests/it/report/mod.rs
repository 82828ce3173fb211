//! The report's page as a browser without scripts gets it, and the plan that it offers.

mod ended;
mod requests;
mod sweep;
