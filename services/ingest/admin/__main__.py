"""`python -m services.ingest.admin`."""

from services.ingest.admin.app import main

if __name__ == "__main__":
    main()
