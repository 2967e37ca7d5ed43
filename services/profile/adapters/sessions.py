"""How PostgreSQL is to plan profile's statements."""

# Each statement names its rows by key. On stale statistics the planner would rather read a whole table, and was seen
# to take ten times as long. Before PostgreSQL 18 what is off counts as very dear, and dear plans are compiled: jit too.
SESSION = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
