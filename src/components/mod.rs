//! The few widgets that pages share. They take plain values and draw valid HTML; none of them fetches anything.

pub mod badge;
pub mod banner;
pub mod button;
pub mod charts;
pub mod confirm;
pub mod definition;
pub mod escape;
pub mod failure;
pub mod field;
pub mod form;
pub mod heading;
pub mod icon;
pub mod menu;
pub mod metric;
pub mod node_search;
pub mod number;
pub mod outcome;
pub mod site;
pub mod table;
pub mod tag;
pub mod time;
