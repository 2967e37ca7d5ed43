"""The segmenter's tables in PostgreSQL, and its definitions on disk."""
