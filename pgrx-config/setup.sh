#!/usr/bin/env bash
# Installs what a Debian 12 machine with a Rust toolchain lacks for building and testing: Debian packages (with sudo, if
# not root), cargo-pgrx (in the user's cache), and the private PostgreSQL in target/. Quick when all is there.
# --build: only what a build against another server needs.
set -euo pipefail
# shellcheck source=pgrx-config/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# libclang-dev: pgrx reads the server's headers with it.
packages=(build-essential libclang-dev)
case ${1:-} in
    --build) ;;
    '') packages+=("postgresql-$TB_PG_MAJOR" "postgresql-server-dev-$TB_PG_MAJOR" python3-venv shellcheck) ;;
    *) say "usage: setup.sh [--build]"; exit 2 ;;
esac

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = 'ii ' ] || echo "$package"
    done
}

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)

# Debian's server package makes and starts a cluster on port 5432 when it is first installed, unless this file says no.
no_main_cluster=/etc/postgresql-common/createcluster.d/tokbudget-setup.conf

allow_main_cluster() {
    "${as_root[@]}" rm -f "$no_main_cluster"
    "${as_root[@]}" rmdir --ignore-fail-on-non-empty "${no_main_cluster%/*}"
}

install_packages() {
    [ ${#as_root[@]} = 0 ] || command -v sudo >/dev/null || die "there is no sudo here: as root, first run apt-get install $*"
    say "installing Debian packages: $* (1 to 3 minutes)"
    trap allow_main_cluster EXIT
    "${as_root[@]}" mkdir -p "${no_main_cluster%/*}"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_main_cluster" >/dev/null
    "${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

# Without optimisation, which would take three times as long and save nothing here, and without its default feature, a
# second TLS library for downloads that are not made. Not in CARGO_TARGET_DIR, which would keep all of the build.
install_cargo_pgrx() {
    say "building cargo-pgrx $TB_CARGO_PGRX_VERSION (3 to 8 minutes, once)"
    env -u CARGO_TARGET_DIR -u RUSTFLAGS CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install --locked --debug --no-default-features --root "$TB_CARGO_PGRX_ROOT" \
        --version "=$TB_CARGO_PGRX_VERSION" cargo-pgrx
}

# The toolchain that rust-toolchain.toml names is the one for cargo-pgrx too.
cd "$TB_ROOT"
if ! command -v apt-get >/dev/null; then die "this needs Debian 12 (there is no apt-get here)"; fi
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"

command -v cargo >/dev/null || die "cargo is not in PATH: install Rust first"
[ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $TB_CARGO_PGRX_VERSION" ] || install_cargo_pgrx

[ "${1:-}" = --build ] || "$TB_ROOT/pgrx-config/private-postgres.sh"
