"""`rapport`, the one command line."""
