"""Know who is in which segment now, and why, by events and by the clock.

Consumes: crm.customers.v1, crm.activities.v1, the clock.
Produces: crm.segment-changes.v1, crm.segment-memberships.v1.
Owns: schema `segmenter` (definitions, memberships, history, due instants).
Never: changes a customer, contacts one, or publishes a past entry from imported history.
"""
