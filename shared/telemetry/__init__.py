"""Logs, metrics, and the port for probes and Prometheus."""
