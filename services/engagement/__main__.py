"""`python -m services.engagement`."""

from services.engagement.app import main

main()
