"""`parcours preview`: a message as one customer would get it, in files to look at.

Words it as `deliver` would, for a customer out of a file, with a sample offer and links that
lead nowhere; nothing is sent, and no store is touched. The surprising fact: what the step
says (`offer`, `from`) is taken from the first step that sends the message, and a message
that no step sends can be looked at too.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import check
from cli.errors import TroubleError, WrongInputError
from cli.options import JOURNEYS, JourneysOption

if TYPE_CHECKING:
    from authoring.folder import LoadedJourney, LoadedJourneys
    from engine.definition import Offer, Step
    from engine.policy import Policy
    from rendering.errors import TemplateError
    from rendering.messages import MessageContext, MessageSource

# A mail in a desktop's reading pane, and on a phone.
MAIL_WIDTHS = (600, 375)
# A postcard of 6 by 4 inches is 576 pixels wide.
CARD_WIDTH = 600


def preview(
    message: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE",
            help="Its journey and its folder: trial-onboarding/coupon.",
            show_default=False,
        ),
    ],
    customer: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Traits, as YAML or JSON.", show_default=False),
    ],
    event: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Properties of the event that the step comes from, likewise."
        ),
    ] = None,
    locale: Annotated[
        str | None,
        typer.Option(
            metavar="TAG", help="The language, such as fr or fr-CA. By default the customer's."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write.")] = Path("preview"),
    journeys: JourneysOption = JOURNEYS,
    chromium: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="The browser for the pictures. By default one on the PATH.",
            envvar="PARCOURS_CHROMIUM",
            show_envvar=False,
        ),
    ] = None,
) -> None:
    """Write a message as this customer would get it: HTML, text and pictures."""
    from cli.pictures import find_chromium
    from rendering.errors import TemplateError

    loaded = check.load_or_leave(journeys)
    journey, source = _found(loaded, message)
    traits = fields_of(customer)
    properties = {} if event is None else fields_of(event)
    browser = find_chromium(chromium)
    context = _context(journey, source, loaded.policy, traits, properties, language_of(locale))
    try:
        worded = _word(source, context)
    except TemplateError as error:
        raise WrongInputError(_where(error, journey, journeys)) from None
    pages = _write(worded, out)
    print("\n".join(worded.told))
    _tell(out, worded.texts)
    if browser is not None:
        _tell(out, _photograph(browser, pages, out))
    elif pages:
        print(
            "no picture: there is no Chromium on the PATH; install one, or name it with "
            "--chromium or PARCOURS_CHROMIUM",
            file=sys.stderr,
        )


@dataclass(frozen=True)
class _Worded:
    """What was made: lines to be told at once, and texts by the name of their file."""

    told: tuple[str, ...]
    texts: Mapping[str, str]


def _found(loaded: LoadedJourneys, message: str) -> tuple[LoadedJourney, MessageSource]:
    """Raises WrongInputError."""
    from authoring.sentences import did_you_mean

    known = {
        f"{name}/{each}": (journey, source)
        for name, journey in loaded.journeys.items()
        for each, source in journey.messages.items()
    }
    if message not in known:
        # With the journey left out, the folder's name alone may still be told apart.
        whole = next((name for name in known if name.partition("/")[2] == message), None)
        hint = (
            f", did you mean `{whole}`?"
            if whole is not None
            else did_you_mean(message, tuple(known), "the messages are")
        )
        raise WrongInputError(f"there is no message `{message}`{hint}")
    return known[message]


def fields_of(path: Path) -> dict[str, Any]:
    """A file's keys and values. Raises WrongInputError, with the line."""
    from authoring.mistakes import Mistake
    from authoring.source import open_source

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongInputError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WrongInputError(f"{path} is not UTF-8: save it as UTF-8") from None
    source = open_source(str(path), text)
    mistakes = [source] if isinstance(source, Mistake) else source.mistakes
    if mistakes:
        raise WrongInputError("\n".join(map(str, mistakes)))
    assert not isinstance(source, Mistake)  # else there was one
    if not isinstance(source.data, dict):
        raise WrongInputError(f"{path}:1: expected keys with values, such as `first_name: Ada`")
    return source.data


def language_of(locale: str | None) -> str | None:
    from rendering.formats import find_locale

    if locale is not None and find_locale(locale) is None:
        raise WrongInputError(f"--locale: `{locale}` is not a language such as `fr` or `fr-CA`")
    return locale


def _context(
    journey: LoadedJourney,
    source: MessageSource,
    policy: Policy,
    traits: Mapping[str, Any],
    event: Mapping[str, Any],
    locale: str | None,
) -> MessageContext:
    from datetime import UTC, datetime

    from cli.sample_wording import sample_links, sample_offer
    from engine.choices import asked_to_confirm
    from engine.routing import zone_of
    from rendering.messages import MessageContext, spoken_policy, spoken_sender
    from rendering.senders import find_sender

    now, said = datetime.now(UTC), traits.get("locale")
    zone, _ = zone_of(traits, None, policy.timezone)
    what = journey.journey
    step = next((each for each in what.steps if source.name in each.messages), None)
    sender = find_sender(step.sender if step else None, traits, event, policy.sender)
    topic = what.topic if step is None else what.topic_of(step)
    return MessageContext(
        customer=traits,
        event=event,
        start_event=event,
        journey=what.journey,
        step=source.name if step is None else step.id,
        sender=spoken_sender(sender),
        policy=spoken_policy(policy),
        links=sample_links(topic, asked_to_confirm(policy, event)),
        now=now,
        offer=sample_offer(_offer(step, source.name), now, zone),
        locale=locale or (said if isinstance(said, str) else policy.locale),
        default_locale=policy.locale,
        timezone=zone,
    )


def _offer(step: Step | None, message: str) -> Offer | None:
    """What the step offers with that message; the first variant's that sends it."""
    if step is None:
        return None
    variants = (step.variants or {}).values()
    return step.offer_of(next((each for each in variants if each.send == message), None))


def _word(source: MessageSource, context: MessageContext) -> _Worded:
    """Raises TemplateError."""
    from rendering.messages import render_email, render_text
    from rendering.sources import CARD, HTML, SMS, SUBJECT, TEXT

    told: list[str] = []
    texts: dict[str, str] = {}
    if "email" in source.channels:
        email, sender = render_email(source, context), context.sender
        answers = sender["reply_to"] or sender["email"]
        told += [f"From: {sender['name']} <{sender['email']}>", f"Reply-To: {answers}"]
        told.append(f"Subject: {email.subject}")
        texts |= {SUBJECT: f"{email.subject}\n", HTML: email.html, TEXT: email.text}
    for channel, file in (("sms", SMS), ("post", CARD)):
        if channel in source.channels:
            texts[file] = render_text(source, file, context) + "\n"
    return _Worded(tuple(told), texts)


def _where(error: TemplateError, journey: LoadedJourney, journeys: Path) -> str:
    """The file as it is reached from here: the message's, the journey's or everybody's."""
    folder = journeys / journey.path.name
    path = folder / error.file if (folder / error.file).exists() else journeys / error.file
    return f"{path}{f':{error.line}' if error.line else ''}: {error.problem}"


def _write(worded: _Worded, out: Path) -> dict[str, str]:
    """Write the texts, and say which of them are pages. Raises TroubleError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in worded.texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise TroubleError(f"{out} can't be written to: {error.strerror}") from None
    return {name: text for name, text in worded.texts.items() if name.endswith(".html")}


def _photograph(browser: Path, pages: Mapping[str, str], out: Path) -> list[str]:
    """The names of the pictures."""
    from cli.pictures import photograph
    from rendering.sources import HTML

    names: list[str] = []
    for page, text in pages.items():
        widths = MAIL_WIDTHS if page == HTML else (CARD_WIDTH,)
        pictures = {width: f"{page.removesuffix('.html')}-{width}.png" for width in widths}
        photograph(browser, text, {width: out / name for width, name in pictures.items()})
        names += pictures.values()
    return names


def _tell(out: Path, names: Collection[str]) -> None:
    if names:
        print(f"written to {out}: {', '.join(names)}", file=sys.stderr)
