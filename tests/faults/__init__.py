"""The fault matrix: services killed, stopped, cut off and fed badly at every place that has a name, one row each."""
