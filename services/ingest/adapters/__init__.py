"""Ingest's side doors: the quarantine, and sources with their keys, in PostgreSQL."""
