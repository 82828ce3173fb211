//! The fields that find nodes among many.

use leptos::prelude::*;
use strum::VariantArray as _;

use super::field::{SelectField, TextField};
use crate::domain::inventory::Node;
use crate::domain::node_filter::{NodeFilter, NodeSort, device_names};

/// Search, device and order; the button stands beside them.
#[component]
pub fn NodeSearch(
    /// As it was typed.
    search: String,
    filter: NodeFilter,
    /// All nodes, found or not.
    nodes: Vec<Node>,
    children: Children,
) -> impl IntoView {
    let mut devices = vec![(String::new(), "Any device".to_owned())];
    devices.extend(device_names(&nodes).into_iter().map(|name| (name.clone(), name)));
    let sorts = NodeSort::VARIANTS.iter().map(|sort| (sort.into_str().to_owned(), sort.words().to_owned())).collect();
    view! {
        <div class="form-inline" role="search">
            <TextField name="search" label="Search nodes" kind="search" value=search />
            <SelectField name="device" label="Device" options=devices value=filter.device().to_owned() />
            <SelectField name="sort" label="Order" options=sorts value=filter.sort().into_str() />
            {children()}
        </div>
    }
    .into_any()
}
