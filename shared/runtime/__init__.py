"""The shell that all five services run in: lanes, batches, publications, faults."""
