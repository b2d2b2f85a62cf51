"""`parcours send-test`: one message to oneself, as a customer would get it.

From the folder as it is, published or not, by the provider that the settings name. Decides
whose data it is worded with: those of a file, of a customer, or of the first scenario beside
the journey, whose customers are made up. The words and the way are `deliver`'s own; the
list of allowed recipients is not asked, since a person has typed this address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import JOURNEYS, JourneysOption
from cli.preview import fields_of, language_of
from cli.store import ACTOR

if TYPE_CHECKING:
    from activities.trying import Trial
    from authoring.folder import LoadedJourney, LoadedJourneys
    from settings import Settings
    from store.database import Database

# Whom a message is worded for if nobody real is named.
_SAMPLE = "sample-customer"


def send_test(
    message: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE",
            help="`JOURNEY/MESSAGE`, or the message's name alone if only one journey has it.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="An e-mail address, or a number: +33612345678."),
    ],
    customer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The customer's traits, as YAML or JSON.")
    ] = None,
    customer_id: Annotated[
        str | None, typer.Option(metavar="ID", help="A customer in the store, with their traits.")
    ] = None,
    event: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Properties of the event that enrolls, likewise."),
    ] = None,
    locale: Annotated[
        str | None, typer.Option(metavar="LOCALE", help="In this language, as `fr`.")
    ] = None,
    journeys: JourneysOption = JOURNEYS,
) -> None:
    """Send a message to yourself, as a customer would get it; nothing is counted."""
    import asyncio

    from cli import check
    from cli.errors import WrongInputError
    from cli.store import opened, settings_without_links

    if customer is not None and customer_id is not None:
        raise WrongInputError("--customer and --customer-id: give one of them")
    loaded = check.load_or_leave(journeys)
    journey, name = _found(loaded, message)
    channel = _channel(to, journey, name)
    given = _Given(
        traits=None if customer is None else fields_of(customer),
        customer_id=customer_id,
        event=None if event is None else fields_of(event),
        locale=language_of(locale),
    )

    async def sent() -> str:
        settings = settings_without_links()
        async with opened(settings) as database:
            trial = await _trial(database, loaded, journey, name, given)
            return await _send(settings, database, trial, channel, to)

    print(asyncio.run(sent()))


@dataclass(frozen=True)
class _Given:
    """What was said of the customer; None: nothing."""

    traits: Mapping[str, Any] | None
    customer_id: str | None
    event: Mapping[str, Any] | None
    locale: str | None


async def _trial(
    database: Database, loaded: LoadedJourneys, journey: LoadedJourney, name: str, given: _Given
) -> Trial:
    from activities.trying import Trial
    from cli.errors import WrongInputError

    sample_traits, sample_event = _sample(journey)
    traits, customer_id = given.traits, _SAMPLE
    if given.customer_id is not None:
        customer_id, traits = await _known(database, given.customer_id)
    traits = dict(sample_traits if traits is None else traits)
    if given.locale is not None:
        traits["locale"] = given.locale
    step = next((step for step in journey.journey.steps if name in step.messages), None)
    if step is None:
        raise WrongInputError(f"no step of `{journey.journey.journey}` sends `{name}`")
    return Trial(
        journey=journey.journey,
        step=step,
        message=name,
        sources=journey.messages,
        policy=loaded.policy,
        customer_id=customer_id,
        traits=traits,
        event=sample_event if given.event is None else given.event,
    )


async def _send(settings: Settings, database: Database, trial: Trial, channel: str, to: str) -> str:
    """Word it, hand it over, note it. Raises what the person can read."""
    from activities.desk import Trouble
    from activities.providers.outcome import ProviderTrouble, Refused
    from activities.trying import word_trial
    from cli.errors import TroubleError, WrongInputError
    from rendering.errors import RenderingError
    from store import audit
    from store.tables import AuditEntry
    from worker.desk import build_desk

    now = datetime.now(UTC)
    desk = build_desk(settings, database, lambda: now)
    try:
        provider = desk.provider(channel)
        _, worded = word_trial(trial, channel, to, now, settings.public_url)
        answer = await provider.send(worded.parcel)
    except RenderingError as error:
        raise WrongInputError(f"{trial.journey.journey}/{trial.message}: {error}") from None
    except (Trouble, ProviderTrouble) as trouble:
        raise TroubleError(f"it was not sent: {trouble}") from None
    if isinstance(answer, Refused):
        raise TroubleError(f"{provider.name} refused it: {answer.detail}")
    entry = AuditEntry(
        at=now,
        actor=ACTOR,
        action="send-test",
        customer_id=None if trial.customer_id == _SAMPLE else trial.customer_id,
        details={"journey": trial.journey.journey, "message": trial.message, "to": to},
    )
    async with database.transaction() as session:
        await audit.record(session, entry)
    return f"{trial.journey.journey}/{trial.message} is sent to {to} by {provider.name}"


def _found(loaded: LoadedJourneys, message: str) -> tuple[LoadedJourney, str]:
    """The journey and the message that are meant. Raises WrongInputError."""
    from cli.errors import WrongInputError

    known = {
        f"{journey}/{name}": (each, name)
        for journey, each in loaded.journeys.items()
        for name in each.messages
    }
    meant = [full for full in known if full == message or full.partition("/")[2] == message]
    match meant:
        case [one]:
            return known[one]
        case []:
            there = ", ".join(f"`{full}`" for full in known) or "none"
            raise WrongInputError(f"there is no message `{message}`; there are {there}")
        case several:
            told = " or ".join(f"`{full}`" for full in several)
            raise WrongInputError(f"`{message}` may be {told}: write which")


def _channel(to: str, journey: LoadedJourney, name: str) -> str:
    """By what the address is reached, if the message can go by it. Raises WrongInputError."""
    from cli.errors import WrongInputError
    from engine.addresses import valid_email
    from engine.reached import written_e164

    if "@" in to and valid_email(to):
        channel = "email"
    elif written_e164(to, None) == to:
        channel = "sms"
    else:
        raise WrongInputError(
            f"--to: `{to}` is no e-mail address, and no number like `+33612345678`"
        )
    has = journey.messages[name].channels
    if channel not in has:
        raise WrongInputError(f"`{name}` can't go by {channel}: it has {', '.join(has)}")
    return channel


def _sample(journey: LoadedJourney) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Traits and the event of the first scenario's customer, as they begin."""
    from engine.calls import Identify, Track

    traits: dict[str, Any] = {}
    for scenario in journey.scenarios[:1]:
        for call in scenario.calls:
            if isinstance(call, Identify):
                traits.update(call.traits)
            elif isinstance(call, Track):
                return traits, call.properties
    return traits, {}


async def _known(database: Database, customer_id: str) -> tuple[str, Mapping[str, Any]]:
    """The customer whom this id means, with their traits. Raises WrongInputError."""
    from cli.errors import WrongInputError
    from engine.company import known_traits
    from store import companies, customers

    async with database.reading() as session:
        row = await customers.known(session, customer_id)
        if row is None or row.erased_at is not None:
            raise WrongInputError(f"--customer-id: there is no customer `{customer_id}`")
        mine = [row.company_id] if row.company_id is not None else []
        company = (await companies.get_many(session, mine)).get(row.company_id or "")
        return row.id, known_traits(
            row.traits, row.company_id, None if company is None else company.traits
        )
