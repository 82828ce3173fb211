//! Answers that are not streamed.

use super::{AfterTurn, Job, JobAction, stream::HUGE};
use crate::{
    answers,
    ask::Api,
    events::{self, WholeAnswer},
    faults::Fault,
    shared::EngineState,
    truth::TruthKind,
};

impl Job {
    /// One step of an answer that is not streamed: tokens are made at their times, the answer comes with the last.
    pub(super) fn plain_step(&mut self, shared: &mut EngineState, now: u64, out: &mut Vec<u8>) -> JobAction {
        if let Some(Fault::Stall(time)) = self.fault
            && self.strikes(self.next_event).is_some()
        {
            self.due_ns += time.as_nanos() as u64;
            return JobAction::Nothing;
        }
        if self.next_event < self.plan.events {
            let tokens = self.plan.len(self.next_event);
            self.made(shared, now, tokens);
            if self.next_event + 1 < self.plan.events {
                self.plan_next(shared);
                return JobAction::Hold;
            }
        }
        self.complete = true;
        self.ended = Some(self.last_turn());
        self.note(shared, TruthKind::Answer, self.due_ns);
        let mut body = self.body(shared);
        let whole = body.len();
        let mut length = whole;
        if let Some(fault) = self.fault.filter(|fault| !matches!(fault, Fault::Stall(_) | Fault::Huge | Fault::Empty)) {
            self.fault_struck = true;
            self.complete = false;
            match fault {
                Fault::ResetMid | Fault::Cut | Fault::EndEarly => {
                    body.truncate(whole / 2);
                    self.ended = Some(if fault == Fault::ResetMid { AfterTurn::Reset } else { AfterTurn::Close });
                }
                Fault::ErrorInStream => {
                    body = events::error(shared.config.shape.dialect, 500, "internal_error", "simulated fault in the answer")
                        .into_bytes();
                    length = body.len();
                }
                _ => {
                    body.truncate(whole / 2);
                    length = body.len();
                }
            }
        }
        self.head(200, "application/json", Some(length), false, out);
        out.extend_from_slice(&body);
        JobAction::Write
    }

    fn body(&self, shared: &EngineState) -> Vec<u8> {
        let config = &shared.config;
        if self.ask.api == Api::Embeddings {
            return answers::embeddings(&self.ask, &config.model, config.seed).into_bytes();
        }
        let whole = self.plan.whole();
        let huge = if self.fault == Some(Fault::Huge) { "x".repeat(HUGE) } else { String::new() };
        let content = whole.content + &huge;
        let answer = WholeAnswer {
            id: &self.id,
            created_s: self.created_s,
            model: &config.model,
            content: if self.plan.tool.is_some() { "" } else { &content },
            reasoning: &whole.reasoning,
            tool: self.plan.tool.as_deref().map(|name| (name, content.as_str())),
            finish: self.plan.finish,
        };
        events::whole(self.ask.api, config.shape.dialect, &answer, &self.usage(shared, 0)).into_bytes()
    }
}
