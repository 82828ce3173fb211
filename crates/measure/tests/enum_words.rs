//! An enum has the same words in JSON and in text.

use std::str::FromStr;

use dyno_measure::events::LogLevel;
use dyno_measure::load::{ArrivalProcess, LoadVariable};
use dyno_measure::plan::TokenLimitField;
use dyno_measure::report::{ErrorClass, Phase};
use dyno_measure::run::{RunKind, RunStatus};
use serde::Serialize;
use strum::VariantArray;

fn written_alike<T: VariantArray + Serialize + Copy + Into<&'static str>>() {
    for &variant in T::VARIANTS {
        assert!(serde_json::to_value(variant).is_ok_and(|written| written == variant.into()));
    }
}

fn read_back<T: VariantArray + FromStr + PartialEq + Copy + Into<&'static str>>() {
    for &variant in T::VARIANTS {
        assert!(variant.into().parse().is_ok_and(|read: T| read == variant));
    }
}

#[test]
fn json_and_text_agree() {
    written_alike::<ArrivalProcess>();
    written_alike::<ErrorClass>();
    written_alike::<LoadVariable>();
    written_alike::<LogLevel>();
    written_alike::<Phase>();
    written_alike::<RunKind>();
    written_alike::<RunStatus>();
    written_alike::<TokenLimitField>();
    read_back::<RunKind>();
    read_back::<RunStatus>();
    assert!("succeded".parse::<RunStatus>().is_err());
}
