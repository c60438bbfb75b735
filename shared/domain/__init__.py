"""The rules of billing: pure calculations on values, without I/O and without a clock."""
