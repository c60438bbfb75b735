"""Payment gateways: one port with a closed set of outcomes, an adapter for each provider, and what each of them is like."""
