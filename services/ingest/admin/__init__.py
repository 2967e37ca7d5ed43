"""The admin API of ingest: the quarantine and the sources over HTTP, for operators with a key."""
