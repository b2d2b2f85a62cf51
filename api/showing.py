"""Server-rendered pages: the templates, what they can say, and the headers they go out with.

No script runs in any of them, and nothing is loaded from anywhere else.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.words import decision_in_words
from engine.progress import local_text

_FOLDER = Path(__file__).parent / "templates"

STYLE = (_FOLDER / "parcours.css").read_text(encoding="utf-8")

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


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters["when"] = _when
    environment.globals["in_words"] = decision_in_words
    return environment


_TEMPLATES = _environment()


def page(template: str, *, status: int = 200, **known: Any) -> HTMLResponse:
    """A page from its template."""
    text = _TEMPLATES.get_template(template).render(**known)
    return HTMLResponse(text, status_code=status, headers=_HEADERS)
