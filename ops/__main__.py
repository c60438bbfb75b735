"""`python -m ops`: the `duecycle` command, also where its script is not on the path."""

from ops.cli import main

main()
