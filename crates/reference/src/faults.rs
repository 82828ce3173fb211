//! Faults, injected by rate and seed or by a request's `x-dyno-fault` header (or `dyno_fault` field).

use std::{fmt, str::FromStr, time::Duration};

use super::random::{Purpose, fraction};

/// Why a text can't be parsed as a fault or its rate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// A number of a fault is missing or invalid.
    #[error("{what} of fault {fault} is no number")]
    NoNumber { what: &'static str, fault: String },
    #[error("status {0} is not between 400 and 599")]
    Status(u32),
    #[error("fault {0:?} is not known")]
    Unknown(String),
    #[error("fault {0:?} has too many parts")]
    TooManyParts(String),
    #[error("a fault is given as NAME=RATE")]
    NoRate,
    #[error("rate {0:?} is no number")]
    RateNoNumber(String),
    #[error("rate {0} is not between 0 and 1")]
    Rate(f64),
}

/// A fault. "In the middle" is before content event `n / 2` of `n`, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `refuse`: the connection is reset as soon as it is accepted (by rate only).
    Refuse,
    /// `reset`: the connection is reset when the request has been read.
    Reset,
    /// `close`: the connection is closed normally, without an answer.
    Close,
    /// `hang`: never answers.
    Hang,
    /// `garbage`: bytes that are not HTTP.
    Garbage,
    /// `status:CODE` or `status:CODE:SECONDS`: an error answer, with `Retry-After` where seconds are given.
    Status { code: u16, retry_after_s: Option<u32> },
    /// `reset-mid`: a reset in the middle of the answer.
    ResetMid,
    /// `cut`: the connection is closed in the middle of the answer, its body unfinished.
    Cut,
    /// `end-early`: the body ends properly in the middle, with neither finish reason nor `[DONE]`.
    EndEarly,
    /// `error-in-stream`: an error object in a 200 answer, after which it ends.
    ErrorInStream,
    /// `malformed`: the middle event is cut JSON; the stream goes on.
    Malformed,
    /// `stall:MS`: the middle event and all after it are delayed by this time.
    Stall(Duration),
    /// `empty`: ends well without any content.
    Empty,
    /// `huge`: the middle event is one megabyte.
    Huge,
}

impl Fault {
    /// Whether the fault happens between events of the answer.
    pub fn is_in_the_middle(self) -> bool {
        matches!(
            self,
            Self::ResetMid | Self::Cut | Self::EndEarly | Self::ErrorInStream | Self::Malformed | Self::Stall(_) | Self::Huge
        )
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut parts = text.trim().split(':');
        let name = parts.next().unwrap_or("");
        let mut number = |what: &'static str| -> Result<Option<u32>, FaultError> {
            let no_number = |_| FaultError::NoNumber { what, fault: name.to_owned() };
            parts.next().map(|part| part.parse().map_err(no_number)).transpose()
        };
        let fault = match name {
            "refuse" => Self::Refuse,
            "reset" => Self::Reset,
            "close" => Self::Close,
            "hang" => Self::Hang,
            "garbage" => Self::Garbage,
            "status" => {
                let code = number("status")?.unwrap_or(500);
                if !(400..600).contains(&code) {
                    return Err(FaultError::Status(code));
                }
                Self::Status { code: code as u16, retry_after_s: number("retry-after")? }
            }
            "reset-mid" => Self::ResetMid,
            "cut" => Self::Cut,
            "end-early" => Self::EndEarly,
            "error-in-stream" => Self::ErrorInStream,
            "malformed" => Self::Malformed,
            "stall" => Self::Stall(Duration::from_millis(number("duration")?.unwrap_or(10_000).into())),
            "empty" => Self::Empty,
            "huge" => Self::Huge,
            _ => return Err(FaultError::Unknown(name.to_owned())),
        };
        if parts.next().is_some() { Err(FaultError::TooManyParts(text.to_owned())) } else { Ok(fault) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Hang => "hang",
            Self::Garbage => "garbage",
            Self::Status { code, retry_after_s: None } => return write!(f, "status:{code}"),
            Self::Status { code, retry_after_s: Some(s) } => return write!(f, "status:{code}:{s}"),
            Self::ResetMid => "reset-mid",
            Self::Cut => "cut",
            Self::EndEarly => "end-early",
            Self::ErrorInStream => "error-in-stream",
            Self::Malformed => "malformed",
            Self::Stall(time) => return write!(f, "stall:{}", time.as_millis()),
            Self::Empty => "empty",
            Self::Huge => "huge",
        };
        f.write_str(name)
    }
}

/// A fault and the share of requests (of connections, for `refuse`) that it affects: `stall:5000=0.01`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRate {
    pub fault: Fault,
    pub rate: f64,
}

impl FromStr for FaultRate {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (fault, rate) = text.split_once('=').ok_or(FaultError::NoRate)?;
        let rate: f64 = rate.trim().parse().map_err(|_| FaultError::RateNoNumber(rate.to_owned()))?;
        if !(0.0..=1.0).contains(&rate) {
            return Err(FaultError::Rate(rate));
        }
        Ok(Self { fault: fault.parse()?, rate })
    }
}

/// The fault of the request with this serial number, if any. Rates add up: a request has at most one fault.
pub fn for_request(rates: &[FaultRate], seed: u64, serial: u64) -> Option<Fault> {
    pick(rates.iter().filter(|r| r.fault != Fault::Refuse), fraction(seed, serial, Purpose::Fault, 0))
}

/// Whether the connection with this serial number is reset at once.
pub fn refuses_connection(rates: &[FaultRate], seed: u64, connection: u64) -> bool {
    pick(rates.iter().filter(|r| r.fault == Fault::Refuse), fraction(seed, connection, Purpose::Accept, 0)).is_some()
}

fn pick<'a>(rates: impl Iterator<Item = &'a FaultRate>, at: f64) -> Option<Fault> {
    let mut sum = 0.0;
    for FaultRate { fault, rate } in rates {
        sum += rate;
        if at < sum {
            return Some(*fault);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_are_written() {
        for text in [
            "refuse",
            "reset",
            "close",
            "hang",
            "garbage",
            "status:503",
            "status:429:2",
            "reset-mid",
            "cut",
            "end-early",
            "error-in-stream",
            "malformed",
            "stall:250",
            "empty",
            "huge",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for wrong in ["", "no", "status:200", "stall:x", "cut:1", "status:429:2:3"] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
        assert!("cut=1.5".parse::<FaultRate>().is_err());
        assert!("cut".parse::<FaultRate>().is_err());
    }

    #[test]
    fn rates_are_met_and_reproducible() {
        let rates = ["cut=0.1", "stall:5=0.2", "refuse=0.5"].map(|r| r.parse::<FaultRate>().unwrap());
        let struck: Vec<_> = (0..20_000).map(|serial| for_request(&rates, 4, serial)).collect();
        let share = |fault| struck.iter().filter(|s| **s == fault).count() as f64 / struck.len() as f64;
        assert!((share(Some(Fault::Cut)) - 0.1).abs() < 0.01);
        assert!((share(Some(Fault::Stall(Duration::from_millis(5)))) - 0.2).abs() < 0.01);
        assert_eq!(for_request(&rates, 4, 17), struck[17]);
        let refused = (0..20_000).filter(|n| refuses_connection(&rates, 4, *n)).count() as f64 / 20_000.0;
        assert!((refused - 0.5).abs() < 0.02);
    }
}
