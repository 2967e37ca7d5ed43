"""The counting service: the smallest user of the runtime, and the one that its whole fault matrix runs against.

Consumes `test.clicks.v1` (who clicked); produces `test.counts.v1` (state: the count of each key) and
`test.counted.v1` (sequenced log: each click once); owns the schema `counting`.
"""
