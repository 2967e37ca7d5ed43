"""Rebuild and check: customers counted anew from the timeline, compared with the rows, and put right if they differ."""
