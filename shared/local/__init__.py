"""The local stack: a real Kafka and a real PostgreSQL without Docker, Java or PostgreSQL on the machine.

Owns the folder `.rapport/` of a checkout. Never imported by services, contracts or the runtime.
"""
