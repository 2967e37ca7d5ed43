"""The commands of profile: for whoever works with customers, and for who operates the service."""
