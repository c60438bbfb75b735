"""Drills: what happens when a whole server is lost, done for real on this machine, with the figures it took."""
