"""deploy/pin-images.sh: the image and what runs beside it are pinned to digests by a step of each release."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGEST = f"sha256:{'0' * 64}"
# Stands for docker: says the digest that the file beside it holds.
DOCKER = '#!/bin/sh\necho "$6" >>"$(dirname "$0")/asked"\ncat "$(dirname "$0")/digest"\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the two files, and a docker that answers what the file `digest` holds."""
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/Dockerfile", "docker-compose.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    return tmp_path


def pin(place: Path, *words: str, digest: str = DIGEST) -> subprocess.CompletedProcess[str]:
    (place / "digest").write_text(digest)
    words = (str(ROOT / "deploy" / "pin-images.sh"), *words, str(place))
    env = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}
    return subprocess.run(words, capture_output=True, text=True, env=env, check=False)


def test_every_image_of_a_registry_gets_its_digest_and_is_pinned_again_at_the_next_release(place: Path) -> None:
    unpinned = pin(place, "--check")
    assert unpinned.returncode == 1
    assert "python:3.13-slim\n" in unpinned.stderr

    assert pin(place).returncode == 0
    assert pin(place, "--check").returncode == 0
    compose = (place / "docker-compose.yml").read_text()
    assert f"image: postgres:17@{DIGEST}\n" in compose
    assert "image: duecycle:${DUECYCLE_VERSION:-local}\n" in compose
    assert f"ARG PYTHON_IMAGE=python:3.13-slim@{DIGEST}\n" in (place / "deploy/Dockerfile").read_text()

    newer = f"sha256:{'1' * 64}"
    assert pin(place, digest=newer).returncode == 0
    assert f"image: postgres:17@{newer}\n" in (place / "docker-compose.yml").read_text()
    asked = (place / "asked").read_text().split()
    assert len(asked) == 2 * len(set(asked)) == 10


def test_an_answer_that_is_no_digest_changes_nothing(place: Path) -> None:
    before = (place / "docker-compose.yml").read_text()
    done = pin(place, digest="toomanyrequests")
    assert done.returncode == 1
    assert "toomanyrequests" in done.stderr
    assert (place / "docker-compose.yml").read_text() == before
