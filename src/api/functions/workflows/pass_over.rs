//! Steps with a single possible answer: the wizard gives it by itself and goes on, so that nobody confirms what can't be chosen.

use serde_json::{Value, json};
use strum::VariantArray as _;
use uuid::Uuid;

use super::step_call::{draft_has_values, send};
use crate::api::calls;
use crate::domain::list::ListQuery;
use crate::domain::problem::Problem;
use crate::domain::user::Actor;
use crate::domain::workflow::{WizardPage, WorkflowAnswer, only_cluster, only_node};
use crate::state::AppState;

/// Answers the steps after a saved page that have a single answer, or finds them answered so; tells which those are. What can't
/// be looked up or is refused is left to its page, which says why.
pub async fn pass_over(
    app: &AppState,
    actor: &Actor,
    saved: WizardPage,
    mut answer: WorkflowAnswer,
) -> (WorkflowAnswer, Vec<WizardPage>) {
    let mut passed = Vec::new();
    for &page in WizardPage::VARIANTS.iter().skip(saved.number().into()) {
        let (step, body) = match only_answer(app, actor, &answer, page).await {
            Ok(Some(only)) => only,
            Ok(None) => break,
            Err(problem) => {
                tracing::debug!(%problem, step = page.into_str(), "a step of the wizard can't be answered by itself");
                break;
            }
        };
        if page == answer.next_page() {
            match send(app, actor, answer.workflow_id, step, Some(answer.revision), body).await {
                Ok(next) if next.next_page() > page => answer = next,
                _ => break,
            }
        } else if !draft_has_values(&answer, &body) {
            break;
        }
        passed.push(page);
    }
    (answer, passed)
}

/// The API's step of a page, and the body with its only answer; absent where there is more than one, or none.
async fn only_answer(
    app: &AppState,
    actor: &Actor,
    answer: &WorkflowAnswer,
    page: WizardPage,
) -> Result<Option<(u8, Value)>, Problem> {
    Ok(match page {
        WizardPage::Cluster => {
            let clusters = calls::clusters::list(app, actor, &ListQuery::default()).await?;
            only_cluster(&clusters.items).map(|id| (3, json!({ "cluster_id": id })))
        }
        WizardPage::Nodes => match answer.workflow_steps.cluster_id {
            Some(cluster) => {
                nodes(app, actor, cluster).await?.map(|hostname| (4, json!({ "nodes": [{ "hostname": hostname }] })))
            }
            None => None,
        },
        _ => None,
    })
}

async fn nodes(app: &AppState, actor: &Actor, cluster: Uuid) -> Result<Option<String>, Problem> {
    let nodes = calls::clusters::node_metrics(app, actor, cluster).await?.nodes;
    Ok(only_node(&nodes).map(str::to_owned))
}
