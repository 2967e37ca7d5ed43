"""How profile's ports are met: PostgreSQL, in binary."""
