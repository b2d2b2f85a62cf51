"""What words about consent come to, before anything is written down.

Decides nothing: `engine.consent` does, and here it is told what the customers concerned have
said so far. The surprising fact: this comes before the events are kept, for a word that has to
be confirmed is another event than the same word that has not.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from engine.calls import Call, ChangeConsent
from engine.consent import Word, spoken, understood
from store import consents
from store.journeys import Published


async def with_what_is_asked(
    session: AsyncSession, calls: Sequence[Call], published: Published | None
) -> Sequence[Call]:
    """The calls of locked customers, each subscription as it is understood.

    Reads the ledger only where a call subscribes and some topic has to be confirmed.
    """
    topics = published.policy.topics if published is not None else {}
    if not any(topic.double_opt_in for topic in topics.values()):
        return calls
    asking = {call.customer_id for call in calls if _may_ask(call)}
    if not asking:
        return calls
    kept = await consents.of_customers(session, asking)
    said: dict[str, list[Word]] = {who: [*kept.get(who, ())] for who in asking}
    found: dict[int, tuple[ChangeConsent, ...]] = {}
    for place, call in _in_order(calls):
        mine = said.get(call.customer_id)
        if mine is not None:
            found[place] = understood(call, topics, mine)
            mine += map(spoken, found[place])
            mine.sort(key=lambda word: word.at)
    return [each for place, call in enumerate(calls) for each in found.get(place, (call,))]


def _may_ask(call: Call) -> bool:
    return isinstance(call, ChangeConsent) and call.subscribed and not call.confirmed


def _in_order(calls: Iterable[Call]) -> list[tuple[int, ChangeConsent]]:
    """The words about consent by when they were said, each with its place among the calls."""
    words = [(n, call) for n, call in enumerate(calls) if isinstance(call, ChangeConsent)]
    return sorted(words, key=lambda word: word[1].at)
