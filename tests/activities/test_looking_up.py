"""A provider without keys that can be asked whether it has a message: it is, before a person is."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from activities.desk import Trouble
from activities.providers.outcome import Accepted, Ambiguous, Mail, NotTaken, ProviderTrouble
from engine.enrollment import Over, Settled
from engine.reasons import Decision
from store.database import Database
from tests.activities.given import NOW, FakeProvider, Office, journey, open_office
from tests.activities.test_repeats import HOUR, SENT, UNKNOWN, die

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@dataclass
class Finding(FakeProvider):
    """Knows no keys. `finds`: what it says each time it is asked; at the end, nothing."""

    remembers_keys_for: timedelta | None = None
    finds: list[Accepted | ProviderTrouble | None] = field(default_factory=list)
    looked_for: list[Mail] = field(default_factory=list)

    async def find(self, mail: Mail) -> Accepted | None:
        self.looked_for.append(mail)
        found = self.finds.pop(0) if self.finds else None
        if isinstance(found, ProviderTrouble):
            raise found
        return found


async def lost(db: Database, *finds: Accepted | ProviderTrouble | None) -> Office:
    """A marketing message whose answer was lost."""
    office = await open_office(db, Finding([Ambiguous("no answer")], finds=list(finds)))
    with pytest.raises(Trouble, match="nobody knows whether fake took it"):
        await office.deliver()
    return office


async def test_what_it_finds_was_sent(db: Database) -> None:
    office = await lost(db, Accepted("p-9"))
    assert await office.deliver(after=SECOND) == SENT
    row = await office.row()
    assert (row.decision, row.provider_message_id) == (Decision.SENT, "p-9")
    assert office.provider.looked_for == office.provider.given
    assert len(office.provider.given) == 1


async def test_it_is_asked_again_while_its_search_may_lag_behind(db: Database) -> None:
    office = await lost(db, None, NotTaken("down"), None, Accepted("p-9"))
    for seconds in (1, 3, 299):
        with pytest.raises(Trouble, match="fake has yet to say if it took it"):
            await office.deliver(after=seconds * SECOND)
    assert await office.deliver(after=299 * SECOND) == SENT
    assert len(office.provider.given) == 1


async def test_what_it_does_not_find_for_long_is_left_to_a_person(db: Database) -> None:
    office = await lost(db)
    with pytest.raises(Trouble):
        await office.deliver(after=MINUTE)
    assert await office.deliver(after=5 * MINUTE) == UNKNOWN
    assert (await office.row()).last_error == "no answer"
    assert len(office.provider.given) == 1


async def test_a_worker_that_died_left_a_message_that_is_found(db: Database) -> None:
    office = await open_office(db, Finding(finds=[Accepted("p-9")]))
    await die(office)
    assert await office.deliver(after=HOUR) == SENT
    assert len(office.provider.given) == 1


async def test_a_transactional_message_that_is_found_is_not_sent_again(db: Database) -> None:
    provider = Finding([Ambiguous("no answer")], finds=[Accepted("p-9")])
    office = await open_office(db, provider, what=journey(topic=None, transactional=True))
    with pytest.raises(Trouble):
        await office.deliver()
    assert await office.deliver(after=SECOND) == SENT
    assert len(provider.given) == 1


async def test_a_transactional_message_that_is_not_found_is_sent_again(db: Database) -> None:
    provider = Finding([Ambiguous("no answer")])
    office = await open_office(db, provider, what=journey(topic=None, transactional=True))
    with pytest.raises(Trouble):
        await office.deliver()
    assert await office.deliver(after=SECOND) == SENT
    assert len(provider.given) == 2


async def test_at_the_deadline_it_is_asked_for_the_last_time(db: Database) -> None:
    office = await lost(db)
    order = office.order(delivery={"until": NOW + SECOND})
    assert await office.deliver(order, after=2 * MINUTE) == UNKNOWN
    assert len(office.provider.looked_for) == 1


async def test_what_is_found_after_an_exit_was_sent_all_the_same(db: Database) -> None:
    office = await lost(db, Accepted("p-9"))
    await office.exit()
    assert isinstance(await office.deliver(after=SECOND), Over)
    assert (await office.row()).decision is Decision.SENT


@pytest.mark.parametrize("found", [None, Accepted("p-9")])
async def test_the_last_order_of_a_workflow_asks_once(db: Database, found: Accepted | None) -> None:
    office = await lost(db, found)
    expected = UNKNOWN if found is None else SENT
    assert await office.deliver(office.order(settle_only=True), after=SECOND) == expected
    assert len(office.provider.looked_for) == 1


async def test_a_successor_is_not_asked_for_what_another_took(db: Database) -> None:
    office = await lost(db)
    successor = Finding(name="successor", finds=[Accepted("p-9")])
    assert await office.with_provider(successor).deliver(after=SECOND) == UNKNOWN
    assert successor.looked_for == []


async def test_what_is_not_ambiguous_is_not_looked_for(db: Database) -> None:
    office = await open_office(db, Finding([NotTaken("down")], finds=[Accepted("p-9")]))
    with pytest.raises(Trouble):
        await office.deliver()
    answer = await office.deliver(after=SECOND)
    assert answer == Settled(decision=Decision.SENT, channel="email", message="tip")
    assert office.provider.looked_for == []
