"""How fast is it: cycles per second from schedules on, beside hand-written SQL and beside one ORM session per invoice."""
