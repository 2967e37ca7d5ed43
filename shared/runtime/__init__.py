"""The shell that all five services run in: exactly-once batches between Kafka and PostgreSQL."""
