//! The list of steps beside each page.

use leptos::prelude::*;
use strum::VariantArray as _;

use super::step_context::StepContext;
use crate::components::icon::{Icon, IconName};
use crate::domain::workflow::WizardPage;

/// How a step stands in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepState {
    Done,
    Current,
    /// Has an error that was found on another page or here.
    Problem,
    /// Complete up to here, and the next to be filled in.
    Open,
    Later,
}

/// How a step stands. `reached` is the first incomplete page.
fn state(page: WizardPage, shown: WizardPage, reached: WizardPage, problems: &[WizardPage]) -> StepState {
    if page == shown {
        StepState::Current
    } else if problems.contains(&page) {
        StepState::Problem
    } else if page < reached {
        StepState::Done
    } else if page == reached {
        StepState::Open
    } else {
        StepState::Later
    }
}

/// The steps: those that are done are links, later ones plain text.
#[component]
pub fn StepList(
    /// Where the reader is.
    context: StepContext,
) -> impl IntoView {
    let shown = context.page;
    let id = context.view.as_ref().map(|view| view.answer.workflow_id);
    let reached = context.reached();
    let problems = context.problem_pages();
    let list = move || {
        let problems = problems.clone();
        WizardPage::VARIANTS
            .iter()
            .copied()
            .map(|page| {
                let state = state(page, shown, reached, &problems);
                let has_problem = problems.contains(&page);
                let (name, mark) = match state {
                    StepState::Problem => ("problem", Some((IconName::Cross, "Problem"))),
                    StepState::Current if has_problem => ("current", Some((IconName::Cross, "Problem"))),
                    StepState::Current => ("current", None),
                    StepState::Done => ("done", Some((IconName::Tick, "Done"))),
                    StepState::Open | StepState::Later => ("later", None),
                };
                let text = format!("{} {}", page.number(), page.title());
                let mark = mark.map(|(icon, word)| {
                    view! {
                        <span class="step-mark">
                            <Icon name=icon />
                            {word}
                        </span>
                    }
                });
                let linked = id.filter(|_| matches!(state, StepState::Done | StepState::Problem | StepState::Open));
                let item = match linked {
                    Some(id) => view! {
                        <a href=format!("/wizard/{id}/{}", page.into_str())>
                            {text}
                            {mark}
                        </a>
                    }
                    .into_any(),
                    None => view! {
                        <span aria-current=(page == shown).then_some("step")>{text} {mark}</span>
                    }
                    .into_any(),
                };
                view! { <li data-state=name>{item}</li> }
            })
            .collect_view()
    };
    let open = list.clone();
    view! {
        <nav aria-label="Steps">
            <details class="steps-folded">
                <summary>{format!("Step {} of {}: {}", shown.number(), WizardPage::VARIANTS.len(), shown.title())}</summary>
                <ol class="steps">{list()}</ol>
            </details>
            <ol class="steps steps-open">{open()}</ol>
        </nav>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stand_by_what_is_complete() {
        let states = |shown, reached, problems: &[WizardPage]| -> Vec<StepState> {
            WizardPage::VARIANTS.iter().map(|&page| state(page, shown, reached, problems)).collect()
        };
        use StepState::{Current, Done, Later, Open, Problem};
        assert_eq!(
            states(WizardPage::Cluster, WizardPage::Cluster, &[]),
            [Done, Done, Current, Later, Later, Later, Later, Later]
        );
        assert_eq!(
            states(WizardPage::Details, WizardPage::Nodes, &[WizardPage::Load]),
            [Current, Problem, Done, Open, Later, Later, Later, Later]
        );
    }
}
