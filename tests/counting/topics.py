from shared.contracts.topics import Kind, Topic

CLICKS = Topic("test.clicks.v1", Kind.RAW, "who clicked", None, ("tests",), ("counting",))
COUNTS = Topic("test.counts.v1", Kind.STATE, "who clicked", None, ("counting",), ())
COUNTED = Topic("test.counted.v1", Kind.SEQUENCED_LOG, "who clicked", None, ("counting",), ())
