"""The invoices pool: a due invoice cycle in, a numbered and frozen invoice out."""
