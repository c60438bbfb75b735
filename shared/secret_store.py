"""Secrets by name: rows hold the name; the value comes from the environment or a mounted file, and is never logged."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
FOLDER: Final = "/run/secrets"

ReadSecret = Callable[[str], str | None]


def variable_of(name: str) -> str:
    """The environment variable of a secret."""
    return f"DUECYCLE_SECRET_{name.upper().replace('-', '_')}"


def reader(environ: Mapping[str, str] = os.environ) -> ReadSecret:
    """A function from a name to its value, None if there is none.

    `shop-acme` is DUECYCLE_SECRET_SHOP_ACME, else the file of that name in DUECYCLE_SECRET_FOLDER (default /run/secrets).
    A file is read each time, so that a rotated one counts at once.
    """
    folder = Path(environ.get("DUECYCLE_SECRET_FOLDER") or FOLDER)

    def read(name: str) -> str | None:
        if not NAME.fullmatch(name):
            return None  # a name must not lead out of the folder
        value = environ.get(variable_of(name), "").strip()
        if value:
            return value
        try:
            return (folder / name).read_text("utf-8").strip() or None
        except (OSError, UnicodeError):
            return None

    return read
