//! Pure types and rules, shared by server and browser. No I/O, clock or randomness: all input comes as arguments.

pub mod benchmark;
pub mod dataset;
pub mod device_specification;
pub mod engine;
pub mod event;
pub mod form;
pub mod inventory;
pub mod kubernetes;
pub mod layouts;
pub mod list;
pub mod live;
pub mod live_status;
pub mod node_filter;
pub mod occupancy;
pub mod path;
pub mod predictions;
pub mod price;
pub mod problem;
pub mod provider;
pub mod run;
pub mod simulated;
pub mod text;
pub mod try_it;
pub mod user;
pub mod workflow;

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use dyno_measure::events::{LogLevel, Progress};
    use dyno_measure::run::RunStatus;
    use serde::Serialize;
    use strum::VariantArray;

    use super::engine::EngineKind;
    use super::event::{LogLine, RunEnd, RunEvent};
    use super::inventory::{ClusterKind, DeviceType};
    use super::problem::ProblemKind;
    use super::provider::ProviderId;
    use super::run::{Stage, StageId, StageStatus};
    use super::user::Role;

    fn written_alike<T: VariantArray + Serialize + Copy + Into<&'static str>>() {
        for &variant in T::VARIANTS {
            assert_eq!(serde_json::to_value(variant).unwrap(), variant.into());
        }
    }

    fn read_back<T: VariantArray + FromStr + PartialEq + Copy + Into<&'static str>>() {
        for &variant in T::VARIANTS {
            assert!(variant.into().parse().is_ok_and(|read: T| read == variant));
        }
    }

    #[test]
    fn an_enum_has_the_same_words_in_json_and_in_the_store() {
        written_alike::<ClusterKind>();
        written_alike::<DeviceType>();
        written_alike::<EngineKind>();
        written_alike::<ProblemKind>();
        written_alike::<ProviderId>();
        written_alike::<Role>();
        written_alike::<StageId>();
        written_alike::<StageStatus>();
        read_back::<ClusterKind>();
        read_back::<EngineKind>();
        read_back::<ProviderId>();
        read_back::<Role>();
        read_back::<StageId>();
        read_back::<StageStatus>();
    }

    #[test]
    fn an_event_has_the_same_name_in_json_and_in_the_stream() {
        let line = LogLine { stage: StageId::CleanUp, level: LogLevel::Info, line: String::new() };
        for event in [
            RunEvent::Stage(Stage::pending(StageId::CleanUp)),
            RunEvent::Progress(Box::<Progress>::default()),
            RunEvent::Log(line),
            RunEvent::End(RunEnd { status: RunStatus::Succeeded, reason: None }),
        ] {
            assert_eq!(serde_json::to_value(&event).unwrap()["event"], event.into_str());
        }
    }
}
