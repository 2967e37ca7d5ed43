"""Ingest's side doors: the quarantine in PostgreSQL."""
