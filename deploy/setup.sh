#!/usr/bin/env bash
# Makes .venv with the locked dependencies and this project in it. Does nothing when that is already so.
#   deploy/setup.sh          everything
#   deploy/setup.sh venv     only the empty environment (for `make lock`)
#   deploy/setup.sh test     everything, and the servers that the tests and the local cluster start for themselves
# PYTHON names the interpreter to use; otherwise the newest of 3.13, 3.12, 3.11 that runs is taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null </dev/null; }
can_make_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null </dev/null; }

find_python() { # prints the first that runs: a name on the path may be a shim for a version that is not active
    local candidate
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

install_packages() { # Debian's packages, if we may install them; otherwise says what to ask for
    if ! command -v apt-get >/dev/null; then
        fail "needed and missing: $1" "Install Python 3.11 or newer with its venv and ensurepip modules, then run this again."
    elif [ "$(id -u)" -ne 0 ]; then
        fail "needed and missing: $1" "Ask an administrator to run: apt-get install $1"
    fi
    say "installing with apt-get: $1"
    apt-get update -qq
    # shellcheck disable=SC2086 # several package names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >/dev/null
}

make_venv() {
    local python packages
    if ! python=$(find_python); then
        [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python 3.11 or newer that runs."
        install_packages "python3 python3-venv"
        python=$(find_python) || fail "This machine offers no Python 3.11 or newer." \
            "Install one and run this again, or name one: PYTHON=/path/to/python3 make setup"
    fi
    if ! can_make_venvs "$python"; then
        packages=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        install_packages "$packages"
        can_make_venvs "$python" || fail "$python has no venv or ensurepip module, also after installing $packages."
    fi
    say "making .venv with $("$python" --version) ($python)"
    "$python" -m venv --clear .venv
}

# RabbitMQ, Prometheus' promtool and PgBouncer are no Python packages. Nothing of them is started by the installation.
install_servers() {
    local missing=""
    [ -n "${DUECYCLE_RABBITMQ_BIN:-}" ] || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="rabbitmq-server"
    command -v promtool >/dev/null || missing="$missing prometheus"
    [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing="$missing pgbouncer"
    [ -z "$missing" ] && return
    local held=/usr/sbin/policy-rc.d made=""
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && [ ! -e "$held" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$held" # the packages would start their servers otherwise
        chmod 755 "$held"
        made=yes
    fi
    install_packages "${missing# }"
    [ -z "$made" ] || rm -f "$held"
}

# The place counts too: the programs in .venv/bin hold its absolute path.
stamp() { printf '%s %s\n' "$PWD" "$(cat requirements-dev.lock pyproject.toml | cksum)"; }
stamp_file=.venv/.duecycle-setup

moved() { [ -f "$stamp_file" ] && [ "$(cut -d' ' -f1 "$stamp_file")" != "$PWD" ]; }

if ! is_new_enough .venv/bin/python || moved; then
    make_venv
fi
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
if [ "${1:-}" = venv ]; then
    exit
fi

[ "${1:-}" != test ] || install_servers

if [ "$(cat "$stamp_file" 2>/dev/null)" = "$(stamp)" ]; then
    exit
fi
rm -f "$stamp_file"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
say "installing $(grep -c '==' requirements-dev.lock) locked packages from requirements-dev.lock (about 120 MB once; a minute or two)"
.venv/bin/python -m pip install --quiet --require-hashes -r requirements-dev.lock
say "installing duecycle itself (editable: changes to the source need no new setup)"
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
stamp >"$stamp_file"
say "done: .venv/bin/duecycle is ready"
