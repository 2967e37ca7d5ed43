"""`python -m services.ingest.gateway`."""

from services.ingest.gateway.starting import main

if __name__ == "__main__":
    main()
