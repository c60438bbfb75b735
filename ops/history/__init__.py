"""What happened to a subscription or an invoice, in the order of time, in words; and why nothing happens now."""
