#!/usr/bin/env bash
# Writes the locks: exact versions and the hashes of every platform's files, for Python 3.11 and newer.
#   requirements.lock      what the processes of a cluster need, and setuptools, which installs the product; the image has no more
#   requirements-dev.lock  that at the same versions, with the embedded PostgreSQL, the tests and their tools: `make setup`
# Where packages come from is each machine's own setting, so a lock must not contain the address of an index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet uv
unset PIP_FIND_LINKS UV_FIND_LINKS
pin() { # file, what asks for packages, words for uv
    local file=$1 source=$2
    shift 2
    .venv/bin/uv pip compile "$source" --no-config --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
        --output-file "$file" "$@" >/dev/null
    if grep -nE '://|^ *--(index-url|extra-index-url|find-links)' "$file"; then
        echo "lock: $file names an address (above); it must not" >&2
        exit 1
    fi
    echo "lock: $(grep -c '==' "$file") packages pinned in $file" >&2
}

pin requirements-dev.lock pyproject.toml --all-extras "$@"
pin requirements.lock pyproject.toml --extra build --constraints requirements-dev.lock
# The site of the documentation has an environment of its own: neither the product nor its tests need it.
pin deploy/docs/requirements.lock deploy/docs/requirements.in "$@"
