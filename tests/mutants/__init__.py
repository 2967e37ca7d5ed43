"""Mutants: our own code broken on purpose, each break a patch that names the test which must catch it."""
