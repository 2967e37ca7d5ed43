"""Keep one live record per customer, the same for any order, duplication and batching of the events.

Consumes: crm.interactions.v1.
Produces: crm.customers.v1, crm.activities.v1.
Owns: schema `profile` (identities, of which each is a customer as yet; timeline by month, which dedupes).
Never: judges a customer, contacts one, or applies an event twice.
"""
