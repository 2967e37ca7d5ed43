"""`python -m services.profile.query`."""

from services.profile.query.app import main

if __name__ == "__main__":
    main()
