"""Payment gateways: one port with a closed set of outcomes, and one file for each provider."""
