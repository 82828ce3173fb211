//! The program under test: the example `dyno`, which cargo builds with the tests.

use std::path::PathBuf;
use std::process::Command;

pub fn dyno() -> Command {
    // target/PROFILE/deps/it-HASH → target/PROFILE/examples/dyno
    let test = std::env::current_exe().unwrap();
    let profile: PathBuf = test.ancestors().nth(2).unwrap().to_owned();
    let program = profile.join("examples/dyno");
    assert!(
        program.exists(),
        "{} is missing: `cargo test -p dyno-load` builds it, `--test it` alone does not",
        program.display()
    );
    Command::new(program)
}
