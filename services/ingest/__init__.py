"""Accept what any system sends, in its own shape, and publish interactions in ours.

Consumes: crm.raw-events.v1.
Produces: crm.interactions.v1, crm.raw-events.v1.dlq.
Owns: schema `ingest` (quarantine with reason, path and original bytes).
Never: deduplicates, resolves a person, or loses an event that it cannot read.
"""
