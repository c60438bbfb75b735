"""Intake: upstream messages, stored first, then applied; one agency's messages one after another."""
