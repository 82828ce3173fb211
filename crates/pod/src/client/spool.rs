//! A pod's spool read in portions, each of whole lines.

use axum::body::Bytes;
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use super::{Pod, PodClientError, PodTransport};
use crate::protocol::{ENDED_HEADER, ErrorCode, FILE_HEADER, FROM_HEADER, LENGTH_HEADER, MOST_PORTION, PortionQuery, SpoolFile};

/// What is asked for at once, bytes; more where a line is longer.
const PORTION: u64 = 1 << 20;

/// How far a spool file was read; to be kept with what was read, so that nothing is lost or read twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolPosition {
    /// The end of a line, bytes.
    pub offset: u64,
    /// Which file it is counted in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
}

/// Whole lines of a spool file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// Without the line feeds at their ends.
    pub lines: Vec<Vec<u8>>,
    /// Where the next ones begin.
    pub place: SpoolPosition,
    /// Whether none follow, now or later.
    pub is_last: bool,
    /// The load has replaced the file since the place that was asked for: these are its first lines, and take the place of all that were
    /// read before.
    pub is_anew: bool,
}

pub(super) struct FetchedPortion {
    pub bytes: Bytes,
    pub from: u64,
    pub length: u64,
    pub has_ended: bool,
    pub file: String,
}

impl<T: PodTransport> Pod<T> {
    pub(super) async fn portion(&self, file: SpoolFile, query: &PortionQuery) -> Result<FetchedPortion, PodClientError> {
        let mut address = format!("/spool/{}?from={}", file.into_str(), query.from);
        if let Some(lines) = query.after_lines {
            address += &format!("&after_lines={lines}");
        }
        if let Some(max) = query.max {
            address += &format!("&max={max}");
        }
        // In hexadecimal, with a hyphen.
        if let Some(file) = query.file.as_ref().filter(|file| !file.is_empty()) {
            address += &format!("&file={file}");
        }
        let (headers, bytes) = self.call(Method::GET, &address, Bytes::new(), None).await?;
        let (from, length) = (number(&headers, FROM_HEADER)?, number(&headers, LENGTH_HEADER)?);
        let expected = length.saturating_sub(from).min(query.max.unwrap_or(MOST_PORTION));
        if bytes.len() as u64 != expected {
            // Whoever is on the way cut it.
            return Err(PodClientError::Transport(format!("{} of {expected} bytes arrived", bytes.len()).into()));
        }
        let has_ended = text(&headers, ENDED_HEADER)? == "true";
        Ok(FetchedPortion { bytes, from, length, has_ended, file: text(&headers, FILE_HEADER)?.to_owned() })
    }

    /// The whole lines after a place, about a megabyte of them at most.
    pub(super) async fn lines(
        &self,
        file: SpoolFile,
        place: &SpoolPosition,
        after_lines: Option<u64>,
    ) -> Result<Lines, PodClientError> {
        let mut query = PortionQuery { from: place.offset, after_lines, max: Some(PORTION), file: Some(place.file.clone()) };
        let mut is_anew = false;
        loop {
            let portion = match self.portion(file, &query).await {
                Err(error) if error.code() == Some(ErrorCode::Replaced) && !is_anew => {
                    is_anew = true;
                    (query.from, query.after_lines, query.file) = (0, None, None);
                    continue;
                }
                portion => portion?,
            };
            let read = portion.bytes.len() as u64;
            let is_all = portion.from + read >= portion.length;
            let whole = portion.bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            if whole == 0 && !is_all {
                let longer = query.max.unwrap_or(PORTION) * 2;
                if longer > MOST_PORTION {
                    return Err(PodClientError::LongLine(MOST_PORTION));
                }
                query.max = Some(longer);
                continue;
            }
            let lines = portion.bytes[..whole].split_inclusive(|byte| *byte == b'\n').map(|line| line[..line.len() - 1].to_vec());
            let place = SpoolPosition { offset: portion.from + whole as u64, file: portion.file };
            // A line that a killed load did not finish is none.
            return Ok(Lines { lines: lines.collect(), place, is_last: is_all && portion.has_ended, is_anew });
        }
    }

    /// All of a file at present, of so many bytes at most.
    pub(super) async fn whole(&self, file: SpoolFile, most: u64) -> Result<Vec<u8>, PodClientError> {
        let (mut all, mut query) = (Vec::new(), PortionQuery { max: Some(MOST_PORTION), ..PortionQuery::default() });
        loop {
            let portion = self.portion(file, &query).await?;
            all.extend_from_slice(&portion.bytes);
            if all.len() as u64 >= portion.length || portion.bytes.is_empty() {
                return Ok(all);
            }
            if portion.length > most {
                return Err(PodClientError::TooLong(most));
            }
            (query.from, query.file) = (all.len() as u64, Some(portion.file));
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, PodClientError> {
    headers.get(name).and_then(|value| value.to_str().ok()).ok_or(PodClientError::Header(name))
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<u64, PodClientError> {
    text(headers, name)?.parse().map_err(|_| PodClientError::Header(name))
}
