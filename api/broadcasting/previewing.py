"""What a broadcast would come to now: how many get it, and of the others how many don't and why.

Nothing is written. For one message the gate is asked, as it would be asked for each, but for
what passes by itself: quiet hours, caps and stop buttons only put a message off. The
surprising fact: a preview goes through all customers, so on a large store it takes seconds.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from api.broadcasting.asked import Asked, row_of
from api.broadcasting.audience import (
    Candidate,
    candidates,
    count_of,
    judge,
)
from api.broadcasting.taking_up import CONDITION_FAILED, LOOKED_AT, NOT_IN_AUDIENCE
from api.by_hand import check_may_enter
from api.errors import ApiError, NotFoundError
from api.people import Person
from api.services import Services
from engine import gate
from engine.consent import state_of
from engine.definition import Journey, Step
from engine.enrollment import Delivery, Settled
from engine.keys import broadcast_enrollment_id
from engine.localtime import shift
from engine.matching import ConditionFailed, History
from engine.policy import Policy
from engine.reached import reached
from engine.reasons import Reason
from rendering.conditions import compile_condition, evaluate
from rendering.messages import MessageSource
from store import archives, broadcasts, consents, enrolled, journeys, suppressions
from store.journeys import Published
from store.tables import Broadcast, BroadcastKind, Customer


@dataclass
class Preview:
    """`customers` are all there are; of them `audience` are in it, and of those `gets` get it."""

    customers: int = 0
    audience: int = 0
    gets: int = 0
    out: Counter[str] = field(default_factory=Counter)


async def preview(services: Services, asked: Asked, actor: str) -> Preview:
    """What it would come to. Raises what `row_of` does."""
    async with services.database.reading() as session:
        published = await journeys.newest_publication(session)
        archived = await archives.names(session)
    row = row_of(asked, published, archived, services.now(), services.wall(), actor)
    if published is None:
        raise NotFoundError("nothing is published", code="no_publication")
    previewing = _Previewing(services, row, published, services.now())
    after: str | None = None
    while True:
        async with services.database.reading() as session:
            rows = await broadcasts.page(session, after, LOOKED_AT)
            await previewing.look(session, list(filter(broadcasts.is_somebody, rows)))
        if len(rows) < LOOKED_AT:
            return previewing.told
        after = rows[-1].id


@dataclass
class _Previewing:
    services: Services
    row: Broadcast
    published: Published
    at: datetime
    told: Preview = field(default_factory=Preview)

    @property
    def policy(self) -> Policy:
        return self.published.policy

    async def look(self, session: AsyncSession, rows: Sequence[Customer]) -> None:
        """A page of customers."""
        known = await candidates(session, rows, self.published, self.at, self.services.evaluate)
        judged = await judge(
            session, known, self.row.audience, self.policy, self.at, self.services.read_phone
        )
        members = [each for each in known if each.row.id in judged.inside]
        self.told.customers += len(known)
        self.told.audience += len(members)
        self._count(CONDITION_FAILED, len(judged.failed))
        self._count(NOT_IN_AUDIENCE, len(known) - len(members) - len(judged.failed))
        out = await self._refusals(session, members)
        self.told.gets += len(members) - sum(out.values())
        for reason, number in out.items():
            self._count(reason, number)

    def _count(self, reason: str, number: int) -> None:
        if number:
            self.told.out[reason] += number

    async def _refusals(
        self, session: AsyncSession, members: Sequence[Candidate]
    ) -> Mapping[str, int]:
        """Of those in the audience, who would not get it."""
        if not members or self.row.kind is BroadcastKind.EVENT:
            return {}
        assert self.row.journey is not None
        journey = self.published.journeys[self.row.journey]
        if self.row.kind is BroadcastKind.JOURNEY:
            return await self._not_enrolled(session, journey, members)
        assert self.row.step is not None
        return await self._not_sent(session, journey, journey.step(self.row.step), members)

    async def _not_enrolled(
        self, session: AsyncSession, journey: Journey, members: Sequence[Candidate]
    ) -> Counter[str]:
        out: Counter[str] = Counter()
        standing = await enrolled.of_customers(session, [each.row.id for each in members])
        for each in members:
            try:
                person = Person(
                    row=each.row, enrolled=standing.enrolled.get(each.row.id, []), at=self.at
                )
                check_may_enter(journey, person, self.row.properties, self.at)
            except ApiError as error:
                out[error.code] += 1
        return out

    async def _not_sent(
        self, session: AsyncSession, journey: Journey, step: Step, members: Sequence[Candidate]
    ) -> Counter[str]:
        ids = [each.row.id for each in members]
        said = await consents.of_customers(session, ids)
        channels = _channels(self.published, journey, step)
        reach = self.services.read_phone
        everywhere = {
            (channel, found.address)
            for each in members
            for channel in {*(step.channels or ()), *(c for has in channels.values() for c in has)}
            if (found := reached(each.traits, channel, reach)) is not None
        }
        blocked = await suppressions.suppressed_among(session, everywhere)
        holds = await self._condition(session, step, members)
        out: Counter[str] = Counter()
        # What is asked by itself, and what passes by itself.
        plain = step.model_copy(update={"when": None, "unless": ()})
        policy = self.policy.model_copy(update={"caps": (), "quiet_hours": {}})
        for each in members:
            words = said.get(each.row.id, ())
            customer = gate.Customer(
                id=each.row.id,
                traits=each.traits,
                last_activity_at=None,
                events=(),
                messages=(),
                said=partial(state_of, words),
                words=words,
                suppressed=lambda channel, address: (channel, address) in blocked,
                read_phone=reach,
            )
            if not holds(each):
                out[Reason.CONDITION] += 1
                continue
            verdict = gate.decide(
                self._occasion(journey, plain, each, channels), customer, policy, evaluate
            )
            if isinstance(verdict, Settled):
                assert verdict.reason is not None  # it was not sent
                out[verdict.reason] += 1
        return out

    async def _condition(
        self, session: AsyncSession, step: Step, members: Sequence[Candidate]
    ) -> Callable[[Candidate], bool]:
        """Whether the step's own condition holds; one that fails holds for nobody."""
        when = step.when
        if when is None:
            return lambda _: True
        condition = compile_condition(when)
        count = await count_of(session, members, condition.counts, self.at)

        def holds(each: Candidate) -> bool:
            history = History(
                count=lambda event, within: count(each, event, within),
                sent=lambda _: False,
                clicked=lambda _: False,
                inside=each.is_inside,
            )
            try:
                return evaluate(when, each.traits, self.row.properties, history)
            except ConditionFailed:
                return False

        return holds

    def _occasion(
        self,
        journey: Journey,
        step: Step,
        to: Candidate,
        channels: Mapping[str, tuple[str, ...]],
    ) -> gate.Occasion:
        return gate.Occasion(
            journey=journey,
            step=step,
            enrollment=broadcast_enrollment_id(journey.journey, to.row.id, self.row.id),
            start_at=self.at,
            key=None,
            event=self.row.properties,
            delivery=Delivery(
                step=step.id,
                occurrence="start",
                at=self.at,
                due_at=self.at,
                until=shift(self.at, step.grace.terms, to.zone),
                zone=to.zone.key,
            ),
            channels=channels,
        )


def _channels(published: Published, journey: Journey, step: Step) -> Mapping[str, tuple[str, ...]]:
    """By which channels the step's messages can go; one that is not published, as an e-mail."""
    folders = published.messages.get(journey.journey, {})
    return {
        message: MessageSource.from_dict(folders[message]).channels
        if message in folders
        else ("email",)
        for message in step.messages
    }
