"""`python -m shared.cli`: the same as `rapport`, for whoever has no scripts folder at hand."""

from shared.cli.main import main

main()
