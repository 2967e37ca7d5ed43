"""From a segment entry to a mail at a real server, and every way it may not become one."""

from datetime import timedelta

from shared.contracts.segments import Change
from shared.runtime.handler import APPLIED, DUPLICATE
from tests.integration.services.engagement.mail_server import DROP_AFTER, DROP_BEFORE, MailServer
from tests.integration.services.engagement.world import World
from tests.unit.services.engagement.records import NOON, SHIPPED, WITHDRAWN, campaign, change, customer, record


async def test_an_entry_with_consent_becomes_one_mail(world: World, server: MailServer) -> None:
    owner = await world.owner()
    assert await world.read(owner, customer(record(first_name="Eva")), change()) == [APPLIED, APPLIED]
    assert await world.states() == {"planned": 1}
    assert await owner.sender.round() == 1
    assert await world.states() == {"accepted": 1}
    (mail,) = server.journal
    ((key, provider_id, reply),) = await world.ask("SELECT key, provider_id, reply FROM messages")
    assert (mail["To"], mail["From"]) == ("c1@example.com", "The Shop <shop@example.com>")
    assert mail["Subject"] == "Welcome back, Eva"
    assert (mail["Message-ID"], mail["X-Rapport-Message"]) == (provider_id, key)
    assert provider_id == f"<{key}@example.com>"
    assert reply == "250 2.0.0"
    assert owner.latencies == [NOON]
    assert await world.announced() == {"message.planned.v1": 1, "message.accepted.v1": 1}
    assert await owner.sender.round() == 0
    assert server.connections == 1


async def test_a_trigger_waits_for_the_record_that_made_it_fire(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(consent=None), version=6), change(version=7))
    assert await world.states() == {}
    assert await world.ask("SELECT customer_version FROM triggers") == [(7,)]
    await world.read(owner, customer(record(), version=7))
    assert await world.states() == {"planned": 1}
    assert await world.ask("SELECT count(*) FROM triggers") == [(0,)]
    await owner.sender.round()
    assert len(server.journal) == 1


async def test_a_trigger_of_somebody_unknown_waits_too_and_a_tombstone_releases_it(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, change(version=7))
    await world.read(owner, customer(None, version=8))
    assert await world.states() == {"unknown_customer": 1}


async def test_the_same_entry_read_twice_is_one_mail(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    assert await world.read(owner, change()) == [DUPLICATE]
    assert await world.read(owner, change(number=2, version=3)) == [APPLIED]
    assert await world.read(owner, change(number=2, version=3), change(number=2, version=3)) == [DUPLICATE, DUPLICATE]
    while await owner.sender.round():
        pass
    assert len(server.journal) == 1


async def test_a_second_entry_is_a_second_mail_and_an_exit_none(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change(), change(sequence=2, kind=Change.EXITED), change(sequence=3))
    await owner.sender.round()
    assert set(server.accepted().values()) == {1}
    assert len(server.journal) == 2


async def test_consent_withdrawn_between_plan_and_send_stops_the_mail(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    await world.read(owner, customer(record(consent=WITHDRAWN), version=2))
    assert await owner.sender.round() == 1
    assert server.journal == []
    assert await world.states() == {"consent_withdrawn": 1}
    assert await world.announced() == {"message.planned.v1": 1, "message.skipped.v1": 1}


async def test_a_record_that_is_being_rewritten_makes_its_mail_wait(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    async with world.pool.connection() as connection:
        await connection.execute("UPDATE customers SET version = version")
        assert await owner.sender.round() == 0
        assert server.journal == []
    assert await owner.sender.round() == 1
    assert len(server.journal) == 1


async def test_an_address_that_changed_after_the_plan_is_not_written_to(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    await world.read(owner, customer(record(email="new@example.com"), version=2))
    await owner.sender.round()
    assert server.journal == []
    assert await world.states() == {"address_changed": 1}


async def test_a_deferred_mail_is_tried_again_under_the_same_id(world: World, server: MailServer) -> None:
    server.script["c1@example.com"] = ["451 4.3.0 <c1@example.com> later"]
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    await owner.sender.round()
    assert await world.states() == {"retry_wait": 1}
    assert await world.ask("SELECT reply, due_at FROM messages") == [("451 4.3.0", NOON + timedelta(seconds=30))]
    assert await owner.sender.round() == 0
    world.clock.at += timedelta(seconds=30)
    assert await owner.sender.round() == 1
    assert await world.states() == {"accepted": 1}
    assert list(server.accepted().values()) == [1]


async def test_a_mail_that_is_deferred_for_ever_fails(world: World, server: MailServer) -> None:
    server.script["c1@example.com"] = ["451 later"] * 9
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    for _ in range(9):
        world.clock.at += timedelta(hours=5)
        await owner.sender.round()
    assert await world.ask("SELECT state, rule, attempt FROM messages") == [("failed", "attempts_exhausted", 3)]


async def test_a_refused_mail_fails_and_the_reply_s_words_are_not_kept(world: World, server: MailServer) -> None:
    server.script["c1@example.com"] = ["550 5.1.1 <c1@example.com> nobody here"]
    owner = await world.owner()
    await world.read(owner, customer(record()), customer(record(2)), change(), change(2))
    await owner.sender.round()
    rows = await world.ask("SELECT state, rule, reply FROM messages ORDER BY state")
    assert rows == [("accepted", None, "250 2.0.0"), ("failed", "refused", "550 5.1.1")]


async def test_a_line_that_breaks_after_the_mail_leaves_its_fate_unknown_for_ever(
    world: World, server: MailServer
) -> None:
    server.script["c1@example.com"] = [DROP_AFTER]
    owner = await world.owner()
    await world.read(owner, customer(record()), change(), customer(record(2)), change(2))
    await owner.sender.round()
    assert await world.states() == {"unknown": 1, "accepted": 1}
    world.clock.at += timedelta(days=1)
    assert await owner.sender.round() == 0
    assert set(server.accepted().values()) == {1}
    assert (await world.announced())["message.unresolved.v1"] == 1


async def test_a_line_that_breaks_before_the_mail_is_tried_again(world: World, server: MailServer) -> None:
    server.script["c1@example.com"] = [DROP_BEFORE]
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    await owner.sender.round()
    assert await world.states() == {"retry_wait": 1}
    world.clock.at += timedelta(seconds=30)
    await owner.sender.round()
    assert list(server.accepted().values()) == [1]


async def test_a_template_that_cannot_be_filled_in_says_what_is_missing(world: World, server: MailServer) -> None:
    broken = SHIPPED.read_bytes().replace(b"number {{ customer.orders.count }}", b"{{ customer.traits.shoe_size }}")
    world.campaigns = {"welcome-back": campaign(broken)}
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    await owner.sender.round()
    assert server.journal == []
    rows = await world.ask("SELECT rule, detail FROM messages")
    assert rows == [("not_renderable", "text: line 3: customer.traits.shoe_size is undefined")]
