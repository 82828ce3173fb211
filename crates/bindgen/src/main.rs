//! `dyno-bindgen FOLDER NAME WASM`: makes NAME.js and NAME_bg.wasm in FOLDER of a WASM file that cargo has compiled. The library
//! behind wasm-bindgen's own command, which draws in a test runner with a web server and its clients: four times the crates.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, name, wasm] = arguments.as_slice() else {
        eprintln!("usage: dyno-bindgen FOLDER NAME WASM");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).out_name(name).omit_default_module_path(false);
    match bindgen.web(true).and_then(|bindgen| bindgen.generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{wasm}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
