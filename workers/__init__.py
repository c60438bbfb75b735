"""The worker pools: orders, invoices, charges, notices, intake. Pools never import each other."""
