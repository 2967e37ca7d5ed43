"""The query API of profile: customers over HTTP, for people and programs with a key."""
