//! A plan may come from somebody else: before values of environment variables are sent to where it says, and before files that
//! it names are read or written, the user is shown which and where to, and asked.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use dyno_measure::plan::{Plan, TokenizerChoice, Workload};

use crate::printable::printable_line;
use crate::self_check;

/// What the user named beside the plan: it needs no further consent.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    /// Variables whose values may be sent.
    pub(super) variables: Vec<String>,
    /// Files that may be read or written, as the plan spells them.
    pub(super) files: Vec<PathBuf>,
}

/// Why a plan is not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsentError {
    #[error("{what} To allow it, name what it may send, read and write: {flags}.")]
    NotNamed { what: String, flags: String },
    #[error("{what} You could not be asked: {source}.")]
    NotAsked { what: String, source: io::Error },
    #[error("Nothing was sent, read or written.")]
    Refused,
}

/// A file or folder that a plan names.
struct PlanFile<'a> {
    path: &'a Path,
    is_written: bool,
    what_for: &'static str,
}

impl PlanFile<'_> {
    fn in_words(&self) -> String {
        format!("{} ({})", printable_line(&self.path.to_string_lossy()), self.what_for)
    }
}

/// The files that the plan reads and writes. The user's own cache folder is left out: every load by hand keeps its checks there.
fn files(plan: &Plan) -> Vec<PlanFile<'_>> {
    let read = |path, what_for| PlanFile { path, is_written: false, what_for };
    let written = |path, what_for| PlanFile { path, is_written: true, what_for };
    let mut files = Vec::new();
    match &plan.workload {
        Workload::Synthetic { .. } => {}
        Workload::Dataset { files: datasets, .. } => {
            files.extend(datasets.iter().map(|file| read(file.path.as_path(), "a dataset, whose rows are sent")));
        }
        Workload::Trace { file, .. } => files.push(read(file.path.as_path(), "a trace")),
    }
    if let TokenizerChoice::File { path } = &plan.tokenizer {
        files.push(read(path, "the tokenizer, with the files of its chat template beside it"));
    }
    if let Some(path) = &plan.ca {
        files.push(read(path, "certificates to trust"));
    }
    if let Some(path) = &plan.requests {
        files.push(written(path, "a record of each request, with files beside it whose names begin alike"));
    }
    if let Some(path) = &plan.report {
        files.push(written(path, "the report, in place of what is there"));
    }
    let cache = plan.self_check.as_ref().and_then(|check| check.cache.as_deref());
    let cache = cache.filter(|folder| self_check::default_folder().is_none_or(|own| own != *folder));
    files.extend(cache.map(|folder| written(folder, "a folder for checks of the client")));
    files
}

/// What the plan sends, reads and writes that was not named.
struct Unnamed<'a> {
    variables: BTreeSet<&'a str>,
    receivers: BTreeSet<&'a str>,
    files: Vec<PlanFile<'a>>,
}

impl<'a> Unnamed<'a> {
    fn of(plan: &'a Plan, named: &Named) -> Self {
        let of_headers = plan.headers.iter().filter_map(|header| header.value_env.as_deref());
        let variables = plan.auth.iter().map(|auth| auth.api_key_env.as_str()).chain(of_headers);
        Self {
            variables: variables.filter(|variable| named.variables.iter().all(|name| name != variable)).collect(),
            receivers: plan.endpoints.iter().map(|endpoint| endpoint.base_url.as_str()).collect(),
            files: files(plan).into_iter().filter(|file| named.files.iter().all(|name| name != file.path)).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.files.is_empty()
    }

    /// Sentences about what the plan does.
    fn in_words(&self) -> String {
        let list = |words: &BTreeSet<&str>| words.iter().map(|word| printable_line(word)).collect::<Vec<_>>().join(", ");
        let (receivers, mut sentences) = (list(&self.receivers), Vec::new());
        if !self.variables.is_empty() {
            sentences.push(format!("The plan sends the value of {} to {receivers}.", list(&self.variables)));
        }
        let (written, read): (Vec<&PlanFile>, Vec<&PlanFile>) = self.files.iter().partition(|file| file.is_written);
        let names = |files: &[&PlanFile]| files.iter().map(|file| file.in_words()).collect::<Vec<_>>().join(", ");
        if !read.is_empty() {
            sentences.push(format!("The plan reads {}; its requests go to {receivers}.", names(&read)));
        }
        if !written.is_empty() {
            sentences.push(format!("The plan writes {}.", names(&written)));
        }
        sentences.join(" ")
    }

    /// The arguments that allow all of it.
    fn flags(&self) -> String {
        let variables = self.variables.iter().map(|variable| format!("--api-key-env {}", printable_line(variable)));
        let files = self.files.iter().map(|file| {
            let path = printable_line(&file.path.to_string_lossy());
            format!("--allow-file {}", dyno_measure::repeat::shell_line(&[path]))
        });
        variables.chain(files).collect::<Vec<_>>().join(" ")
    }
}

/// Asks on a terminal whether the plan may do what was not named; without a terminal it may do only what was named.
pub(super) fn ask(plan: &Plan, named: &Named) -> Result<(), ConsentError> {
    let unnamed = Unnamed::of(plan, named);
    if unnamed.is_empty() {
        return Ok(());
    }
    let what = unnamed.in_words();
    let (input, mut terminal) = (io::stdin(), io::stderr());
    if !(input.is_terminal() && terminal.is_terminal()) {
        return Err(ConsentError::NotNamed { what, flags: unnamed.flags() });
    }
    let mut answer = String::new();
    let asked = write!(terminal, "{what} Go on? [y/N] ").and_then(|()| terminal.flush());
    if let Err(source) = asked.and_then(|()| input.lock().read_line(&mut answer)) {
        return Err(ConsentError::NotAsked { what, source });
    }
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(ConsentError::Refused) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plan(change: impl FnOnce(&mut Value)) -> Plan {
        let mut plan = json!({
            "endpoints": [{ "node": "n", "base_url": "http://h" }], "model": "m",
            "workload": { "kind": "synthetic", "input_tokens": 8, "output_tokens": 4 }, "load_points": [],
        });
        change(&mut plan);
        serde_json::from_value(plan).unwrap()
    }

    #[test]
    fn named_variables_need_no_consent() {
        let plan = plan(|plan| {
            plan["auth"] = json!({ "header": "bearer", "api_key_env": "A" });
            plan["headers"] = json!([{ "name": "x-key", "value_env": "B" }]);
        });
        let left = |plan: &Plan, names: &[&str]| {
            let variables = names.iter().map(|&name| name.to_owned()).collect();
            let named = Named { variables, files: Vec::new() };
            Unnamed::of(plan, &named).variables.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(left(&plan, &[]), ["A", "B"]);
        assert_eq!(left(&plan, &["A"]), ["B"]);
        assert!(left(&plan, &["A", "B"]).is_empty());
        assert!(left(&Plan { headers: Vec::new(), ..plan }, &["A"]).is_empty());
    }

    #[test]
    fn every_file_of_a_plan_is_said_until_it_is_named() {
        let id = uuid::Uuid::nil();
        let plans = [
            plan(|plan| {
                plan["workload"] =
                    json!({ "kind": "dataset", "files": [{ "path": "/a set", "id": id }, { "path": "b", "id": id }] });
                plan["tokenizer"] = json!({ "kind": "file", "path": "/tok" });
                plan["ca"] = json!("/ca.pem");
                plan["requests"] = json!("/requests");
                plan["report"] = json!("/report");
                plan["self_check"] = json!({ "cache": "/cache" });
            }),
            plan(|plan| plan["workload"] = json!({ "kind": "trace", "file": { "path": "/trace", "id": id } })),
        ];
        let of_plans: [&[&str]; 2] = [&["/a set", "b", "/tok", "/ca.pem", "/requests", "/report", "/cache"], &["/trace"]];
        for (plan, paths) in plans.iter().zip(of_plans) {
            for (number, path) in paths.iter().enumerate() {
                let others = paths.iter().enumerate().filter(|(other, _)| *other != number);
                let named = Named { variables: Vec::new(), files: others.map(|(_, path)| PathBuf::from(path)).collect() };
                let unnamed = Unnamed::of(plan, &named);
                assert_eq!(unnamed.files.iter().map(|file| file.path).collect::<Vec<_>>(), [Path::new(path)]);
                assert!(unnamed.in_words().contains(&format!(" {path} (")), "{}", unnamed.in_words());
            }
            let all = Named { variables: Vec::new(), files: paths.iter().map(PathBuf::from).collect() };
            assert!(Unnamed::of(plan, &all).is_empty());
        }
        let unnamed = Unnamed::of(&plans[0], &Named::default());
        assert!(unnamed.flags().starts_with("--allow-file '/a set' --allow-file b "), "{}", unnamed.flags());
        assert!(
            unnamed.in_words().contains("; its requests go to http://h. The plan writes /requests ("),
            "{}",
            unnamed.in_words()
        );
    }

    #[test]
    fn nothing_of_a_plan_steers_the_terminal() {
        let plan = plan(|plan| plan["report"] = json!("/a\u{1b}[2Kb\u{202e}c\n\u{fc}"));
        let words = Unnamed::of(&plan, &Named::default()).in_words();
        assert!(words.contains(r"/a\u{1b}[2Kb\u{202e}c\nü ("), "{words}");
    }

    #[test]
    fn checks_kept_in_the_own_cache_need_no_consent() {
        let own = plan(|plan| plan["self_check"] = json!({ "cache": self_check::default_folder() }));
        assert!(Unnamed::of(&own, &Named::default()).is_empty());
    }
}
