"""PostgreSQL, the truth: tables, the transaction, and one module of statements per aggregate."""
