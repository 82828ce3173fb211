#!/usr/bin/env bash
# Installs what a build needs and is missing, and says what it does. Asks nothing; a second run does nothing.
#   setup.sh build   Rust's WASM target, wasm-opt
#   setup.sh test    the same, and Chromium, Playwright and the test engine
source "$(dirname "$0")/env.sh"
mkdir -p "$tools"

packages() {
  say "Installing Debian packages: $*"
  if [ ! -f "$tools/.apt-updated" ] || [ -n "$(find "$tools/.apt-updated" -mmin +600)" ]; then
    apt-get update -qq && touch "$tools/.apt-updated"
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

rust_is_recent() {
  have cargo && have rustc || return 1
  local minor
  minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
  [ -n "$minor" ] && [ "$minor" -ge 94 ]
}

# The toolchain needs the standard library for WASM. With rustup that is one command of the user's; Debian ships a
# complete compiler whose library for WASM only has to be compiled once from the source that comes with it.
setup_rust() {
  if rust_is_recent && has_wasm_target; then return; fi
  if [ ! -f "$tools/use-debian-rust" ]; then
    if can_install_packages && { apt-cache show rustc-web >/dev/null 2>&1 || { apt-get update -qq && apt-cache show rustc-web >/dev/null 2>&1; }; }; then
      packages rustc-web cargo-web rust-web-src rust-web-llvm lld-22 rust-web-clippy rustfmt-web
      touch "$tools/use-debian-rust"
      use_tools
    else
      fail "Rust 1.94 or later with its WASM target is needed. Run: rustup update && rustup target add $wasm_target"
    fi
  fi
  if has_wasm_target; then return; fi
  say "Compiling Rust's standard library for WASM from its source (about a minute)"
  local folder target_lib
  folder=$(mktemp -d "$tools/wasm-std-XXXXXX")
  target_lib="$folder/lib/rustlib/$wasm_target/lib"
  mkdir -p "$target_lib"
  (
    mkdir "$folder/empty"
    cd "$folder/empty"
    cargo init --quiet --lib --name empty --vcs none .
    # Small, and with the bitcode that optimising over all crates needs.
    export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$folder/target" CARGO_PROFILE_RELEASE_OPT_LEVEL=z
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-C embed-bitcode=yes"
    cargo build --quiet -Zbuild-std=std,panic_abort,panic_unwind,proc_macro -Zbuild-std-features=panic-unwind,optimize_for_size \
      --target "$wasm_target" --release
    rm -f "$folder/target/$wasm_target"/release/deps/libempty-*
    cp "$folder/target/$wasm_target"/release/deps/*.rlib "$target_lib/"
  )
  rm -rf "$folder/empty" "$folder/target"
  # Somebody else may have been quicker.
  mv -T "$folder" "$wasm_sysroot" 2>/dev/null || rm -rf "$folder"
  use_tools
  has_wasm_target || fail "The WASM target could not be set up. With rustup, run: rustup target add $wasm_target"
}

setup_wasm_tools() {
  if ! [ -x "$tools/node_modules/.bin/wasm-opt" ] && ! have wasm-opt; then
    have npm || fail "Node.js with npm is needed for wasm-opt."
    say "Installing wasm-opt (binaryen $binaryen_version) from npm"
    npm install --silent --no-save --prefix "$tools" "binaryen@$binaryen_version" >/dev/null
  fi
}

setup_compilers() {
  have cc || { can_install_packages && packages gcc libc6-dev; } || fail "A C compiler (cc) is needed."
}

setup_browser() {
  if ! have chromium && ! have google-chrome; then
    can_install_packages || fail "Chromium is needed for the browser tests."
    packages chromium
  fi
  have npm || fail "Node.js with npm is needed for the browser tests."
  if [ ! -d "$root/end2end/node_modules/@playwright/test" ] || [ "$root/end2end/package-lock.json" -nt "$root/end2end/node_modules" ]; then
    say "Installing Playwright from npm"
    (cd "$root/end2end" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent >/dev/null && touch node_modules)
  fi
}

setup_python() {
  have python3 || { can_install_packages && packages python3 python3-venv python3-pip; } || fail "Python 3 with pip is needed for the test engine."
}

case "${1:-build}" in
  build) setup_compilers; setup_rust; setup_wasm_tools ;;
  test) setup_compilers; setup_rust; setup_wasm_tools; setup_browser; setup_python ;;
  *) fail "usage: setup.sh build|test" ;;
esac
