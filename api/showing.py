"""Server-rendered pages: the templates, what they can say, and the headers they go out with.

Nothing is loaded from anywhere else, and no script runs but in a page that is live, where it
is one of ours and may only ask us.
"""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from api.words import decision_in_words
from engine.progress import local_text

_FOLDER = Path(__file__).parent / "templates"

STYLE = (_FOLDER / "parcours.css").read_text(encoding="utf-8")
LIVE_SCRIPT = (_FOLDER / "live.js").read_text(encoding="utf-8")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # A page's address may hold a customer's id, or once a key.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

# For a page that is live: its script is a file of ours, never anything in the page itself.
_LIVE_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": (
        f"{_HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
    ),
}

# For a customer's mail, which is somebody else's HTML: no script, no form, nothing loaded.
MAIL_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"
    ),
}


def _when(at: datetime | None, zone: str | None = None) -> str:
    """`2026-11-25 09:00 Europe/Paris`; UTC where no zone is known."""
    return "" if at is None else local_text(at.astimezone(UTC), zone or "UTC")


def _moment(at: datetime | None) -> str:
    """`2026-11-25 09:00:05`, in UTC."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _in_short(held: Any) -> str:
    """A value of a property in a line: text as it is, all else as JSON."""
    return held if isinstance(held, str) else json.dumps(held, ensure_ascii=False)


def _with_code(text: str) -> Markup:
    """A sentence in which what stands in backticks is shown as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one that nobody closed: somebody else's words
        return escape(text)
    shown = [
        Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts)
    ]
    return Markup("").join(shown)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters["when"] = _when
    environment.filters["moment"] = _moment
    environment.filters["with_code"] = _with_code
    environment.filters["in_short"] = _in_short
    environment.filters["pretty"] = partial(json.dumps, ensure_ascii=False, indent=2)
    environment.globals["in_words"] = decision_in_words
    return environment


_TEMPLATES = _environment()


def page(template: str, *, status: int = 200, is_live: bool = False, **known: Any) -> HTMLResponse:
    """A page from its template."""
    headers = _LIVE_HEADERS if is_live else _HEADERS
    return HTMLResponse(
        part(template, is_live=is_live, **known), status_code=status, headers=headers
    )


def part(template: str, **known: Any) -> str:
    """What a template says, for a page that has the rest."""
    return _TEMPLATES.get_template(template).render(**known)
