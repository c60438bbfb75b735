"""Payment gateways: one port with a closed set of outcomes, and behind it Stripe, PayPal and the sandbox, a few files each."""
