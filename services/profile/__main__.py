"""`python -m services.profile`."""

from services.profile.app import main

main()
