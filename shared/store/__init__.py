"""PostgreSQL: tables, the transaction, the lock, and one module of statements for each kind of row."""
