"""A cluster on one machine: a private PostgreSQL, a private RabbitMQ, the scheduler and the pools as processes of their own."""
