#!/usr/bin/env bash
# Writes the locks: exact versions and the hashes of every platform's files, for Python 3.11 and newer.
#   requirements.lock      what the processes of a cluster need, and setuptools, which installs the product; the image has no more
#   requirements-dev.lock  that at the same versions, with the embedded PostgreSQL, the tests and their tools: `make setup`
# Where packages come from is each machine's own business, so no address of an index may stand in a lock.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet uv
unset PIP_FIND_LINKS UV_FIND_LINKS
pin() { # file, words for uv
    local file=$1
    shift
    .venv/bin/uv pip compile pyproject.toml --no-config --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
        --output-file "$file" "$@" >/dev/null
    if grep -nE '://|^ *--(index-url|extra-index-url|find-links)' "$file"; then
        echo "lock: $file names an address (above); it must not" >&2
        exit 1
    fi
    echo "lock: $(grep -c '==' "$file") packages pinned in $file" >&2
}

pin requirements-dev.lock --all-extras "$@"
pin requirements.lock --extra build --constraints requirements-dev.lock
