"""What engagement's ports are made of: PostgreSQL and SMTP."""
