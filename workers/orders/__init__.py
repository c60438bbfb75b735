"""The orders pool: a due order cycle in, an order out, if it is cleared."""
