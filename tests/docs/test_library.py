"""The page of the library lists its journeys, each once, with the event that it starts on."""

import re

from engine.definition import EventMatch
from tests.docs.pages import Page, page
from tests.library.loaded import LIBRARY

PAGE = "docs/library.md"
_ROW = re.compile(
    r"^\| \[(?P<name>[a-z-]+)\]\(\.\./journeys/library/(?P<folder>[a-z-]+)/README\.md\) "
    r"\| (?P<does>[^|]+) \| `(?P<starts>[^`|]+)` \| (?P<use>[^|]+) \|$",
    re.MULTILINE,
)


def listed(told: Page) -> list[tuple[str, str]]:
    """Journeys with what they start on, as the tables have them."""
    rows = list(_ROW.finditer(told.text))
    assert all(row["name"] == row["folder"] and row["does"] and row["use"] for row in rows)
    return sorted((row["name"], row["starts"]) for row in rows)


def _starts(match: EventMatch) -> str:
    """As the file says it: the event, or the segment that is entered."""
    segment = re.fullmatch(r"event\.segment == '([a-z-]+)'", match.where or "")
    return f"enters: {segment[1]}" if segment is not None else match.event


def test_every_journey_of_the_library_is_listed_with_what_it_starts_on() -> None:
    exist = [(name, _starts(each.journey.starts_on[0])) for name, each in LIBRARY.journeys.items()]
    assert listed(page(PAGE)) == sorted(exist)


def test_a_journey_that_is_not_there_and_one_that_starts_otherwise_are_found() -> None:
    text = page(PAGE).text
    invented = text.replace(
        "[birthday](../journeys/library/birthday/", "[b](../journeys/library/b/"
    )
    assert ("b", "customer.created") in listed(page(PAGE, invented))
    other = text.replace("`signed_up`", "`signed_in`")
    assert ("welcome", "signed_in") in listed(page(PAGE, other))


def test_the_readme_and_the_page_of_the_language_lead_there() -> None:
    assert PAGE in page("README.md").links()
    assert "library.md" in page("docs/journey-language.md").links()
