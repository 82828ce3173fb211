# Sourced by the other scripts: where tools are kept, which Rust is used, and words for the terminal.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools="${DYNO_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dyno}"
wasm_target=wasm32-unknown-unknown
binaryen_version=132.0.0

say() { printf '\033[1m[dyno]\033[0m %s\n' "$*"; }
fail() { printf '\033[1m[dyno]\033[0m %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
can_install_packages() { have apt-get && [ "$(id -u)" = 0 ]; }

# Debian's compiler links with binutils, which takes three times as long as lld; rustup's has lld built in.
use_lld() {
  local lld=/usr/bin/ld.lld-22 host
  [ -x "$lld" ] || return 0
  mkdir -p "$tools/bin"
  [ -e "$tools/bin/ld.lld" ] || ln -sf "$lld" "$tools/bin/ld.lld"
  host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
  export "CARGO_TARGET_${host}_RUSTFLAGS=-Clink-arg=-fuse-ld=lld"
}

# Debian's second Rust (rustc-web) lies in /usr/bin; once set-up has chosen it, every script uses it, with the standard library
# for WASM that set-up has compiled for that very compiler.
use_tools() {
  PATH="$tools/bin:$tools/node_modules/.bin:$PATH"
  if [ -f "$tools/use-debian-rust" ]; then
    PATH="/usr/bin:$PATH"
    wasm_sysroot="$tools/wasm-std-$(rustc -vV | sed -n 's/^commit-hash: //p')"
    if [ -d "$wasm_sysroot" ]; then
      export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="--sysroot=$wasm_sysroot"
    fi
    use_lld
  fi
  export PATH
}
use_tools

# Installs what is missing, and uses it from here on: which Rust that is, is known only afterwards.
set_up() {
  "$root/scripts/setup.sh" "$1"
  use_tools
}

has_wasm_target() {
  local sysroot=${wasm_sysroot:-}
  if [ -z "$sysroot" ]; then sysroot=$(rustc --print sysroot 2>/dev/null) || return 1; fi
  compgen -G "$sysroot/lib/rustlib/$wasm_target/lib/libstd-*.rlib" >/dev/null
}
