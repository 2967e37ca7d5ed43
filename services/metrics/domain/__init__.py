"""Which facts an event is, and which KPI they add up to."""
