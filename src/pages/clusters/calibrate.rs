//! "Calibrate this node": four short loads that tell the simulator how efficient a node is.

use leptos::prelude::*;
use server_fn::ServerFn;
use uuid::Uuid;

use crate::api::functions::clusters::CalibrateNode;
use crate::components::button::Submit;
use crate::components::field::SelectField;
use crate::components::form::{ErrorSummary, FormNumber, summary_lines};
use crate::domain::form::Flash;

/// The form; one node and one model are chosen from the beginning.
#[component]
pub fn CalibrateForm(
    cluster: Uuid,
    hosts: Vec<String>,
    /// Ids and names of models that can be served here.
    models: Vec<(String, String)>,
    /// What was wrong with the last one.
    flash: Option<Flash>,
) -> impl IntoView {
    let refused = flash.filter(Flash::is_refusal);
    let lines = refused.as_ref().map(summary_lines).unwrap_or_default();
    let typed = |name: &str| refused.as_ref().and_then(|flash| flash.entry(name).map(str::to_owned)).unwrap_or_default();
    let error = |name: &str| refused.as_ref().and_then(|flash| flash.error(name));
    let options = hosts.into_iter().map(|host| (host.clone(), host)).collect();
    view! {
        <section class="stack">
            <h2>"Calibrate the simulator"</h2>
            <ErrorSummary lines=lines />
            <p class="hint">
                "One measured run of four short loads. Simulations of this device, engine and precision rest on it from then on."
            </p>
            <form class="stack" method="post" action=CalibrateNode::url()>
                <FormNumber />
                <input type="hidden" name="cluster" value=cluster.to_string() />
                <SelectField name="hostname" label="Node" options=options value=typed("hostname") error=error("hostname") />
                <SelectField name="model_id" label="Model" options=models value=typed("model_id") error=error("model_id") />
                <div>
                    <Submit text="Calibrate this node" />
                </div>
            </form>
        </section>
    }
    .into_any()
}
