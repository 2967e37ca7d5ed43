"""Where facts are kept and questions are put: PostgreSQL."""
