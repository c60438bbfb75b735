#!/usr/bin/env bash
# Writes requirements.lock: exact versions and the hashes of every platform's files, for Python 3.11 and newer.
# Where packages come from is each machine's own business, so no address of an index may stand in the lock.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet uv
unset PIP_FIND_LINKS UV_FIND_LINKS
.venv/bin/uv pip compile pyproject.toml --no-config --quiet --universal --python-version 3.11 --extra dev \
    --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    --output-file requirements.lock "$@" >/dev/null

if grep -nE '://|^ *--(index-url|extra-index-url|find-links)' requirements.lock; then
    echo "lock: requirements.lock names an address (above); it must not" >&2
    exit 1
fi
echo "lock: $(grep -c '==' requirements.lock) packages pinned in requirements.lock" >&2

# The site of the documentation has an environment of its own: neither the product nor its tests need it.
.venv/bin/uv pip compile deploy/docs/requirements.in --no-config --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    --output-file deploy/docs/requirements.lock "$@" >/dev/null
if grep -nE '://|^ *--(index-url|extra-index-url|find-links)' deploy/docs/requirements.lock; then
    echo "lock: deploy/docs/requirements.lock names an address (above); it must not" >&2
    exit 1
fi
