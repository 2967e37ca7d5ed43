"""What every answer has in common, whoever takes the request."""

from tests.unit.services.ingest.gateway.case import Case
from tests.unit.services.ingest.gateway.gateways import Reply


def check(case: Case, reply: Reply | None) -> None:
    """Compare an answer with what a case expects."""
    assert reply is not None
    assert reply.status == case.status, reply
    if isinstance(case.answer, bytes):
        assert reply.body.startswith(case.answer)
    else:
        found = reply.json
        assert {name: found.get(name) for name in case.answer} == dict(case.answer)
    if reply.status >= 400:
        assert isinstance(reply.json["code"], str)
        assert isinstance(reply.json["message"], str)
    origin = case.all_headers.get("Origin")
    assert reply.headers.get("access-control-allow-origin") == origin
    assert reply.headers.get("access-control-allow-credentials") == (origin and "true")
