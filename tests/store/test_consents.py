"""What customers said: the newest that speaks of a channel and topic holds."""

import pytest

from store import consents
from store.database import Database
from store.tables import Consent, ConsentState
from tests.store.given import HOUR, NOON, a_customer

YES, NO = ConsentState.SUBSCRIBED, ConsentState.UNSUBSCRIBED

Said = tuple[str | None, str | None, ConsentState]


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        pytest.param([], None, id="never spoke"),
        pytest.param([("email", "tips", NO)], NO, id="this one"),
        pytest.param([("email", "news", NO)], None, id="another topic"),
        pytest.param([("sms", "tips", NO)], None, id="another channel"),
        pytest.param([(None, None, NO)], NO, id="everything"),
        pytest.param([("email", None, NO)], NO, id="every topic of the channel"),
        pytest.param([(None, "tips", NO)], NO, id="the topic on every channel"),
        pytest.param([("email", "tips", YES), (None, None, NO)], NO, id="left everything later"),
        pytest.param([(None, None, NO), ("email", "tips", YES)], YES, id="came back to this one"),
        pytest.param([(None, None, NO), ("email", "news", YES)], NO, id="came back to another"),
        pytest.param([("email", "tips", NO), ("email", "tips", YES)], YES, id="changed their mind"),
    ],
)
async def test_the_newest_that_speaks_of_it_holds(
    db: Database, said: list[Said], holds: ConsentState | None
) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        for hours, (channel, topic, state) in enumerate(said):
            await consents.append(session, _consent(hours, channel, topic, state))
    async with db.reading() as session:
        assert await consents.consent_state(session, "c1", "email", "tips") is holds


async def test_what_was_said_counts_not_when_it_arrived(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        await consents.append(session, _consent(2, None, None, NO))
        await consents.append(session, _consent(1, "email", "tips", YES))
    async with db.reading() as session:
        assert await consents.consent_state(session, "c1", "email", "tips") is NO


async def test_at_one_instant_what_arrived_last_holds(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        await consents.append(session, _consent(1, "email", "tips", YES))
        await consents.append(session, _consent(1, "email", "tips", NO))
    async with db.reading() as session:
        assert await consents.consent_state(session, "c1", "email", "tips") is NO


async def test_one_customer_does_not_speak_for_another(db: Database) -> None:
    async with db.transaction() as session:
        await a_customer(session)
        await consents.append(session, _consent(1, None, None, NO))
    async with db.reading() as session:
        assert await consents.consent_state(session, "c2", "email", "tips") is None


def _consent(hours: int, channel: str | None, topic: str | None, state: ConsentState) -> Consent:
    return Consent(
        customer_id="c1",
        channel=channel,
        topic=topic,
        state=state,
        source="link",
        at=NOON + hours * HOUR,
    )
