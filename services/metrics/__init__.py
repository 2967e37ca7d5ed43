"""Turn facts about customers into KPIs that a recomputation confirms.

Consumes: crm.activities.v1, crm.customers.v1, crm.segment-changes.v1, crm.outreach.v1.
Produces: KPI tables and Prometheus gauges.
Owns: schema `metrics` (facts, KPI tables).
Never: publishes a topic, changes what it measures, or sums across currencies.
"""
