//! An administrator's own command: a list of arguments with placeholders. It must serve an OpenAI-compatible API.

use super::{Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, visible_devices};
use crate::domain::engine::EngineKind;

pub(super) struct Custom;

impl Recipe for Custom {
    fn kind(&self) -> EngineKind {
        EngineKind::Custom
    }

    /// Always available: the program is part of the arguments.
    fn find(&self, _search: &ProgramSearch) -> Option<Program> {
        Some(Program { argv: Vec::new(), version: None })
    }

    fn how_to_get(&self, _search: &ProgramSearch) -> String {
        "Administrators give the command in the engine's arguments, program first. {port}, {host}, {model} and {alias} are filled in; \
         it must answer /v1/models and, with {alias}, list that name."
            .to_owned()
    }

    fn spreads_by_itself(&self) -> bool {
        true
    }

    fn launch(&self, _program: &Program, serve: &Serve) -> Result<Launch, RecipeError> {
        if serve.extra_args.is_empty() {
            return Err(RecipeError::EmptyCommand);
        }
        let named = serve.extra_args.iter().any(|arg| arg.contains("{alias}"));
        let model = serve.model.name();
        let fill = |arg: &String| arg.replace("{alias}", &serve.alias).replace("{model}", &model);
        Ok(Launch {
            argv: serve.extra_args.iter().map(fill).collect(),
            env: visible_devices(&serve.share),
            model: named.then(|| serve.alias.clone()),
            health: None,
            liveness: None,
            version: None,
            metrics: None,
            tokenize: true,
            ignore_eos: true,
            startup_limit_s: 60 * 60,
        })
    }

    fn own_flags(&self) -> &'static [&'static str] {
        &[]
    }

    fn member_flags(&self) -> &'static [&'static str] {
        &[]
    }
}
