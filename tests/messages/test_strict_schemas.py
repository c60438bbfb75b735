"""The published schemas are strict: the validator that most JavaScript consumers use compiles them without a warning.

Needs node, and the packages ajv and ajv-formats where DUECYCLE_NODE_MODULES says (npm install ajv ajv-formats).
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.contracts.generate import FOLDER

SCRIPT = """
const Ajv = require("ajv/dist/2020").default, fs = require("node:fs"), path = require("node:path");
const ajv = new Ajv({ strict: true });
require("ajv-formats").default(ajv);
const files = fs.readdirSync(process.argv[1], { recursive: true }).filter((name) => name.endsWith(".json"));
for (const name of files) {
  ajv.addSchema(JSON.parse(fs.readFileSync(path.join(process.argv[1], name))), "https://duecycle.invalid/" + name);
}
files.forEach((name) => ajv.getSchema("https://duecycle.invalid/" + name));
console.log(files.length);
"""


def _modules() -> str:
    modules = os.environ.get("DUECYCLE_NODE_MODULES", "")
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    if not (Path(modules) / "ajv").is_dir() or not (Path(modules) / "ajv-formats").is_dir():
        pytest.skip("DUECYCLE_NODE_MODULES names no folder with ajv and ajv-formats")
    return modules


def test_every_schema_compiles_in_strict_mode() -> None:
    env = {**os.environ, "NODE_PATH": _modules()}
    command = ["node", "-e", SCRIPT, str(FOLDER / "schemas")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.strip()) == ("", str(len(list((FOLDER / "schemas").rglob("*.json")))))
