"""The five services; each package's docstring is its charter."""
