"""Decide whether and how to reach a customer, send once, and explain every message not sent.

Consumes: crm.segment-changes.v1, crm.customers.v1, the clock.
Produces: crm.outreach.v1, and messages at a provider.
Owns: schema `engagement` (contacts, parked triggers, message ledger, what was announced) and `config/campaigns`.
Never: writes without consent, resends a message whose fate is unknown, or decides who is in a segment.
"""
