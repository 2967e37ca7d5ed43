"""`python -m services.segmenter`."""

from services.segmenter.app import main

main()
