#!/usr/bin/env bash
# Writes .env and secrets/ with random passwords for docker-compose.yml. What is there already is never overwritten.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ -e .env ]; then
    echo "env: .env is there already; remove it and secrets/ to start over (the databases keep their old passwords)" >&2
    exit 0
fi
python=.venv/bin/python
[ -x "$python" ] || python=python3
"$python" deploy/rabbitmq/users.py secrets
printf 'DUECYCLE_SECRETS=%s\n' "./secrets" >.env
chmod 600 .env
echo "env: .env and secrets/ written, with random passwords; docker compose up --build --wait starts the cluster" >&2
