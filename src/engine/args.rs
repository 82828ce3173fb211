//! Validates the engine arguments that people add. Arguments are passed as a list, never through a shell. Members may use
//! listed options only, since an engine's command line can read files, load code and open ports.

use crate::domain::engine::EngineKind;

use super::recipes::recipe;

const MAX_LENGTH: usize = 4_096;
const MAX_COUNT: usize = 200;

/// Why arguments are refused; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    #[error("Use at most {MAX_COUNT} arguments.")]
    TooMany,
    #[error("An argument has at most {MAX_LENGTH} characters.")]
    TooLong,
    #[error("An argument has a control character in it.")]
    ControlCharacter,
    #[error("{0:?} belongs to no option; write options as --name or --name=value.")]
    NoOption(String),
    #[error("{0} is set by Dyno.")]
    SetByDyno(String),
    #[error("{0} is for administrators.")]
    ForAdministrators(String),
    #[error("An own command is for administrators.")]
    CommandForAdministrators,
    #[error("Enter the command, its program first.")]
    NoProgram,
    #[error("The command must use {{port}}, the port that Dyno chooses.")]
    NoPort,
}

/// Checks the arguments that a person adds to a recipe's own (for an own command: the whole command).
///
/// # Errors
/// For the first argument that is not allowed.
pub fn validate_args(kind: EngineKind, args: &[String], is_administrator: bool) -> Result<(), ArgsError> {
    if args.len() > MAX_COUNT {
        return Err(ArgsError::TooMany);
    }
    if args.iter().any(|arg| arg.len() > MAX_LENGTH) {
        return Err(ArgsError::TooLong);
    }
    if args.iter().any(|arg| arg.chars().any(char::is_control)) {
        return Err(ArgsError::ControlCharacter);
    }
    if kind == EngineKind::Custom {
        return validate_command(args, is_administrator);
    }
    let recipe = recipe(kind);
    let mut value_may_follow = false;
    for arg in args {
        let Some(flag) = flag_of(arg) else {
            if value_may_follow {
                value_may_follow = false;
                continue;
            }
            return Err(ArgsError::NoOption(arg.clone()));
        };
        if recipe.own_flags().contains(&flag.as_str()) {
            return Err(ArgsError::SetByDyno(shown(arg).to_owned()));
        }
        if !is_administrator && !recipe.member_flags().contains(&flag.as_str()) {
            return Err(ArgsError::ForAdministrators(shown(arg).to_owned()));
        }
        value_may_follow = !arg.contains('=');
    }
    Ok(())
}

fn validate_command(args: &[String], is_administrator: bool) -> Result<(), ArgsError> {
    if !is_administrator {
        return Err(ArgsError::CommandForAdministrators);
    }
    if args.first().is_none_or(|program| program.trim().is_empty()) {
        return Err(ArgsError::NoProgram);
    }
    if !args.iter().any(|arg| arg.contains("{port}")) {
        return Err(ArgsError::NoPort);
    }
    Ok(())
}

/// The option's name as recipes list it, with dashes for underscores; `None` where the argument is a value.
fn flag_of(arg: &str) -> Option<String> {
    let name = arg.split_once('=').map_or(arg, |(name, _)| name);
    let letters = name.strip_prefix("--").or_else(|| name.strip_prefix('-'))?;
    let number = letters.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    (!number).then(|| name.replace('_', "-"))
}

fn shown(arg: &str) -> &str {
    arg.split_once('=').map_or(arg, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: EngineKind, args: &[&str], administrator: bool) -> Result<(), String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        validate_args(kind, &args, administrator).map_err(|error| error.to_string())
    }

    #[test]
    fn members_tune_and_administrators_do_more() {
        assert_eq!(check(EngineKind::Vllm, &["--enable-prefix-caching", "--gpu-memory-utilization=0.8"], false), Ok(()));
        assert_eq!(check(EngineKind::LlamaCpp, &["-ub", "256", "--seed", "-1"], false), Ok(()));
        for (flag, kind) in [
            ("--trust-remote-code", EngineKind::Vllm),
            ("--trust_remote_code", EngineKind::Vllm),
            ("--trust-remote", EngineKind::Vllm),
            ("--middleware=x.y", EngineKind::Vllm),
            ("--tool-parser-plugin", EngineKind::Vllm),
            ("--config", EngineKind::Vllm),
            // `pt` unpickles, which executes code from the file
            ("--load-format", EngineKind::Vllm),
            ("--load_format=pt", EngineKind::Vllm),
            ("--load-format", EngineKind::Sglang),
            ("--trust-remote-code", EngineKind::Sglang),
            ("--trust-remote-code", EngineKind::Tgi),
            ("--path", EngineKind::LlamaCpp),
            ("--slot-save-path", EngineKind::LlamaCpp),
            ("--mmproj", EngineKind::LlamaCpp),
        ] {
            assert!(check(kind, &[flag], false).unwrap_err().ends_with("is for administrators."), "{flag}");
            assert_eq!(check(kind, &[flag], true), Ok(()), "{flag}");
        }
    }

    #[test]
    fn what_dyno_sets_nobody_sets() {
        for administrator in [false, true] {
            assert_eq!(check(EngineKind::Vllm, &["--port=1"], administrator), Err("--port is set by Dyno.".to_owned()));
            assert!(check(EngineKind::LlamaCpp, &["-a", "x"], administrator).is_err());
        }
    }

    #[test]
    fn values_need_an_option() {
        assert!(check(EngineKind::Vllm, &["/etc/passwd"], true).is_err());
        assert!(check(EngineKind::Vllm, &["--seed", "1", "2"], false).is_err());
        assert!(check(EngineKind::Vllm, &["--seed=1", "2"], false).is_err());
        assert!(check(EngineKind::Vllm, &["--seed", "1\n"], false).is_err());
    }

    #[test]
    fn an_own_command_is_for_administrators_and_names_its_port() {
        assert!(check(EngineKind::Custom, &["server", "--port", "{port}"], false).is_err());
        assert_eq!(check(EngineKind::Custom, &["server", "--port", "{port}"], true), Ok(()));
        assert!(check(EngineKind::Custom, &["server"], true).is_err());
        assert!(check(EngineKind::Custom, &[], true).is_err());
    }
}
