//! What portal and pods say to each other. Every request carries the token; every answer of a pod carries its version, so that
//! it is told from one of a proxy on the way.

pub use dyno_load::workers::WorkerPlace;
use dyno_measure::plan::PlanEndpoint;
use dyno_measure::validity::SelfCheck;
use serde::{Deserialize, Serialize};

/// Port that a run's pods listen on.
pub const PORT: u16 = 8099;
/// Kubernetes' proxy takes `Authorization` for itself.
pub const TOKEN_HEADER: &str = "x-dyno-token";
/// The version of Dyno in the pod, in each of its answers.
pub const VERSION_HEADER: &str = "x-dyno-pod";
/// How long a spool file is at present, bytes.
pub const LENGTH_HEADER: &str = "x-spool-length";
/// Where in the file the answered bytes begin.
pub const FROM_HEADER: &str = "x-spool-from";
/// Whether nothing will be added any more: `true` or `false`.
pub const ENDED_HEADER: &str = "x-spool-ended";
/// Which file it is: another once the load has replaced it.
pub const FILE_HEADER: &str = "x-spool-file";

/// Most bytes of a spool file in one answer.
pub const MOST_PORTION: u64 = 8 << 20;
/// Most bytes of a file in one request.
pub const MOST_CHUNK: usize = 16 << 20;

/// Endpoints of the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRequest {
    /// Engines that were started for the run; none where the plan names its endpoints itself.
    #[serde(default)]
    pub endpoints: Vec<PlanEndpoint>,
    /// The model's name as the engines list it; absent: as the plan has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where the workers are that put the load on together; none: the plan is carried out here alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerPlace>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequest {
    /// Kill it, instead of having it write down what it has.
    #[serde(default)]
    pub force: bool,
}

/// Where a load pod stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub state: LoadState,
    /// What it was started with; kept by a pod that was restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<StartRequest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<LoadEnd>,
    /// The client's check of itself in this pod, once it is over; absent where the plan asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_check: Option<SelfCheck>,
    /// The pod's clock as it answers, Unix ns: the one that the load's records have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_unix_ns: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadState {
    /// For the engines' addresses.
    Waiting,
    Running,
    /// Nothing is written to the spool any more.
    Ended,
}

/// How a load ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadEnd {
    pub cause: EndCause,
    /// How its process ended; absent where nobody saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// A sentence for people, for any end that the load did not come to by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// By itself; whether that was well, its events say.
    Finished,
    Cancelled,
    Deadline,
    /// The pod was asked to end: deleted, evicted, its node drained.
    Terminated,
    /// The container was started again while the load ran, which is never done twice.
    Restarted,
    /// The process could not be started.
    NotStarted,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// A file of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum SpoolFile {
    /// What the load tells, a JSON object a line.
    Events,
    /// Request records, a JSON object a line.
    Records,
    /// The gaps between the events of each request, in the order of the records.
    Gaps,
    /// The report; where the load left none, one of its records.
    Report,
    /// What the records don't say by themselves.
    Sidecar,
    /// What the load's process printed.
    Log,
    /// The plan as it was carried out.
    Plan,
}

/// Which bytes of a spool file are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortionQuery {
    /// From this byte …
    #[serde(default)]
    pub from: u64,
    /// … or after so many lines.
    #[serde(default)]
    pub after_lines: Option<u64>,
    /// So many bytes at most.
    #[serde(default)]
    pub max: Option<u64>,
    /// Which file `from` was counted in; refused where it is another by now.
    #[serde(default)]
    pub file: Option<String>,
}

/// Whether and how a file is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFile {
    pub kind: FileKind,
    /// Of a folder, the sum of the files directly in it; bytes.
    pub size: u64,
    /// In hexadecimal; absent until it is computed, where it was not asked for, and of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How much of the file the digest has read so far, bytes.
    #[serde(default)]
    pub hashed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    File,
    Folder,
}

/// How far the upload of a file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadStatus {
    /// Bytes that are there: the next ones begin here.
    pub offset: u64,
    /// Whether the file is whole, checked, and in its place.
    pub sealed: bool,
    /// How much of it the check has read, bytes.
    #[serde(default)]
    pub hashed: u64,
}

/// What a whole file must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealRequest {
    /// Bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// What is to be fetched from the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    pub repository: String,
    pub revision: String,
}

/// How far a download is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchProgress {
    /// The file that is fetched at present.
    pub file: String,
    pub bytes_done: u64,
    pub bytes_total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FetchStatus {
    Running(FetchProgress),
    /// What an engine is to serve: a file or a folder of the volume.
    Done {
        path: std::path::PathBuf,
    },
    /// A sentence for people.
    Failed {
        message: String,
    },
}

/// Why a pod refused something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRefusal {
    pub error: ErrorCode,
    /// A sentence for people.
    pub message: String,
    /// Where an upload goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The token is missing or wrong.
    Unauthorized,
    /// No such address, file or download.
    NotFound,
    /// The request is not understood, or the plan can't be carried out with it.
    Invalid,
    /// The load was started with other addresses.
    AlreadyStarted,
    /// It does not go together with a load that runs, or that has ended.
    WrongState,
    /// The file that the bytes were counted in is no longer there.
    Replaced,
    /// A path outside of the folders that may be looked at.
    Forbidden,
    /// An upload goes on elsewhere than where it was to.
    WrongOffset,
    /// Another request writes the same file, or another download goes on.
    Busy,
    /// The file that arrived is another than was stated.
    WrongDigest,
    /// The volume is full.
    NoSpace,
    /// The system refused; the message says what.
    Failed,
    /// From a later version.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn a_file_has_the_same_name_in_addresses_and_where_they_are_read() {
        for file in SpoolFile::VARIANTS {
            assert_eq!(serde_json::to_value(file).unwrap(), file.into_str());
        }
    }
}
