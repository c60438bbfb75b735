"""The pools (orders, invoices, charges, notices, intake), and webhooks, which listens to the web. None imports another."""
