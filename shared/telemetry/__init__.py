"""What is seen from outside: logs, metrics, and the port where both probes and Prometheus ask."""
