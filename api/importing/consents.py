"""Consents from a file: what customers said about being written to, each with its own time.

Decides which words a row may use; which of two things said holds is the ledger's, by their
times, so an old `subscribed` never undoes a newer `unsubscribed`. Who subscribed to a topic
that asks for confirmation is `pending`, unless the row tells its basis; nobody is asked by an
import. The one surprising fact: what is said of all topics must say so (`all`); an empty cell
is more often a slip, and one that would subscribe a customer to everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.accept import accept_in
from api.errors import ConflictError
from api.importing.rows import (
    ERASED,
    Refusal,
    Row,
    RowCode,
    RowError,
    Taken,
    content_id,
    one_of,
    only,
    text_of,
    time_of,
)
from api.services import Services
from api.taking import Said
from authoring.policy_file import CHANNELS
from engine.calls import ChangeConsent
from engine.keys import is_anonymous
from engine.purposes import PURPOSES
from store import customers, journeys
from store.customers import Meant
from store.erasures import erased_among
from store.suppressions import normal_address
from store.tables import ConsentState

COLUMNS = ("id", "email", "topic", "channel", "state", "at", "source", "basis", "wording")
ALL = "all"
_SOURCE = "import"  # where a row does not say where it was said


@dataclass(frozen=True)
class _Read:
    """What a row says, before it is known whose it is."""

    row: Row
    customer_id: str | None
    email: str | None
    topic: str | None
    channel: str | None
    state: ConsentState
    at: datetime
    said: Said


class ConsentImport:
    """Takes rows of consents; `now` (journey time) is when the import began."""

    def __init__(self, services: Services, now: datetime) -> None:
        self._services = services
        self._now = now
        self._by_email: dict[str, list[str]] = {}

    async def look_ahead(self, session: AsyncSession, rows: Sequence[Row]) -> None:
        """Find those whom rows name by address only, for many rows at once."""
        asked = {
            normal_address(email)
            for row in rows
            if not row.values.get("id") and isinstance(email := row.values.get("email"), str)
        }
        self._by_email = await customers.with_email(session, asked) if asked else {}

    async def take(self, session: AsyncSession, rows: Sequence[Row]) -> Taken:
        """Append them to the ledger in this transaction."""
        published = await journeys.newest_publication(session)
        if published is None:
            raise ConflictError(
                "nothing is published, so there are no topics yet: `parcours publish` first"
            )
        topics = list(published.policy.topics)
        refused: list[Refusal] = []
        read: list[_Read] = []
        for row in rows:
            try:
                read.append(self._read(row, topics))
            except RowError as error:
                refused.append(error.of(row))
        known, erased = await self._who(session, read)
        calls: dict[str, ChangeConsent] = {}
        said: dict[str, Said] = {}
        for each in read:
            try:
                call = self._call(each, known, erased)
            except RowError as error:
                refused.append(error.of(each.row))
            else:
                calls.setdefault(call.message_id, call)
                said[call.message_id] = each.said
        if not calls:
            return Taken(refused=tuple(refused))
        accepted = await accept_in(session, self._services, list(calls.values()), self._now, said)
        repeated = len(rows) - len(refused) - len(accepted.new)
        return Taken(tuple(sorted(accepted.new)), repeated, tuple(refused))

    def _read(self, row: Row, topics: Sequence[str]) -> _Read:
        only(row, COLUMNS)
        customer_id, email = text_of(row, "id"), text_of(row, "email")
        if customer_id is None and email is None:
            raise RowError(RowCode.NO_ID, "whose is it? Write the customer's `id`, or `email`")
        topic = one_of(row, "topic", (*topics, *PURPOSES), RowCode.UNKNOWN_TOPIC, other=ALL)
        channel = ALL
        if text_of(row, "channel") is not None:
            channel = one_of(row, "channel", CHANNELS, RowCode.UNKNOWN_CHANNEL, other=ALL)
        state = one_of(row, "state", [each.value for each in ConsentState], RowCode.UNKNOWN_STATE)
        at = time_of(row, "at", self._now)
        if at is None:
            raise RowError(
                RowCode.NO_TIME, "`at` is missing: when was it said? The newest said holds"
            )
        return _Read(
            row=row,
            customer_id=customer_id,
            email=email,
            topic=None if topic == ALL else topic,
            channel=None if channel == ALL else channel,
            state=ConsentState(state),
            at=at,
            said=Said(
                source=text_of(row, "source") or _SOURCE,
                wording=text_of(row, "wording"),
                basis=text_of(row, "basis"),
            ),
        )

    async def _who(
        self, session: AsyncSession, read: Sequence[_Read]
    ) -> tuple[dict[str, Meant], frozenset[str]]:
        """Who is known by their ids, and which ids and addresses are those of erased persons."""
        ids = {each.customer_id for each in read if each.customer_id is not None}
        emails = {each.email for each in read if each.email is not None}
        ids |= {owner for each in emails for owner in self._by_email.get(normal_address(each), ())}
        known = await customers.known_among(session, ids)
        return known, await erased_among(session, ids, emails, ())

    def _call(self, each: _Read, known: dict[str, Meant], erased: frozenset[str]) -> ChangeConsent:
        named = each.customer_id or each.email
        assert named is not None  # `_read` saw to it
        if {each.customer_id, each.email} & erased:
            raise RowError(RowCode.ERASED, f"`{named}` {ERASED}")
        customer_id = each.customer_id or self._owner(named)
        who = None if is_anonymous(customer_id) else known.get(customer_id)
        if who is None:
            raise RowError(
                RowCode.NO_SUCH_CUSTOMER,
                f"there is no customer `{named}`: import the customers first",
            )
        if who.is_erased:
            raise RowError(RowCode.ERASED, f"`{named}` {ERASED}")
        content = (who.id, each.topic, each.channel, _content_of(each.state), each.at)
        said = (each.said.source, each.said.basis, each.said.wording)
        return ChangeConsent(
            customer_id=who.id,
            at=each.at,
            message_id=content_id("consent", *content, *said),
            historical=True,
            topic=each.topic,
            channel=each.channel,
            subscribed=each.state is not ConsentState.UNSUBSCRIBED,
            confirmed=each.said.basis is not None,
            pending=each.state is ConsentState.PENDING,
        )

    def _owner(self, email: str) -> str:
        owners = self._by_email.get(normal_address(email), [])
        if len(owners) > 1:
            raise RowError(
                RowCode.AMBIGUOUS_CUSTOMER,
                f"{len(owners)} customers have the address `{email}`: write the `id` of one",
            )
        if not owners:
            raise RowError(
                RowCode.NO_SUCH_CUSTOMER,
                f"no customer has the address `{email}`: import the customers first",
            )
        return owners[0]


def _content_of(state: ConsentState) -> bool | str:
    """As it has always been hashed, so that a file imported before is known again."""
    return state.value if state is ConsentState.PENDING else state is ConsentState.SUBSCRIBED
