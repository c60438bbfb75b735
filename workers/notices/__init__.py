"""The notices pool: render from what was frozen, send, record. At least once, under one Message-ID."""
