"""The pages of the documentation that are written from the code or from a run, never by hand: `python -m ops.pages`."""
