"""Keep one live record per customer, the same for any order, duplication and batching of the events.

Consumes: crm.interactions.v1.
Produces: crm.customers.v1, crm.activities.v1.
Owns: schema `profile` (identities, customers, timeline).
Never: judges a customer, contacts one, or applies an event twice.
"""
