"""A library inside a journeys folder shows its messages in the pages of that folder."""

from pathlib import Path

import pytest

from authoring.folder import load_journeys
from authoring.mistakes import JourneysInvalid
from tests.authoring.right_folder import RIGHT, Write

LAYOUT = "<html><body>{% block content %}{% endblock %}</body></html>"
EXTENDS = '{% extends "layout.html" %}{% block content %}<p>A tip.</p>{% endblock %}'
LIBRARY = {f"library/{name}": text for name, text in RIGHT.items()} | {
    "library/trial/tip/email.html": EXTENDS
}


def test_a_library_is_a_journeys_folder_with_the_pages_of_the_one_it_lies_in(write: Write) -> None:
    root = write({**LIBRARY, "layout.html": LAYOUT, "fr/layout.html": LAYOUT})
    loaded = load_journeys(root / "library")
    assert sorted(loaded.journeys["trial"].messages["tip"].layouts) == [
        "fr/layout.html",
        "layout.html",
    ]
    assert loaded.warnings == ()


def test_its_own_page_comes_before_that_of_the_folder_above(write: Write) -> None:
    own = LAYOUT.replace("<body>", '<body class="own">')
    root = write({**LIBRARY, "layout.html": LAYOUT, "library/layout.html": own})
    layouts = load_journeys(root / "library").journeys["trial"].messages["tip"].layouts
    assert layouts == {"layout.html": own}


def test_a_mistake_in_a_page_above_is_told_with_the_way_there(write: Write) -> None:
    root = write({**LIBRARY, "layout.html": f"{LAYOUT}\n{{{{ nope }}}}"})
    with pytest.raises(JourneysInvalid) as refused:
        load_journeys(root / "library")
    assert [(each.file, each.line) for each in refused.value.mistakes] == [("../layout.html", 2)]


def test_a_warning_about_a_page_above_is_told_likewise(write: Write) -> None:
    root = write({**LIBRARY, "layout.html": f"{LAYOUT}\n{{{{ customer.company }}}}"})
    assert [each.file for each in load_journeys(root / "library").warnings] == ["../layout.html"]


@pytest.mark.parametrize("changes", [{"policy.yaml": None}, {}])
def test_no_other_folder_takes_pages_from_above(
    write: Write, changes: dict[str, str | None]
) -> None:
    """Neither one of another name, nor a library that lies in no journeys folder."""
    root = write({**LIBRARY, "layout.html": LAYOUT, **changes})
    folder: Path = root / "library"
    if not changes:
        folder = folder.rename(root / "examples")
    with pytest.raises(JourneysInvalid, match="layout"):
        load_journeys(folder)


def test_notes_may_lie_beside_a_journey(write: Write) -> None:
    assert list(load_journeys(write({"trial/README.md": "# When"})).journeys) == ["trial"]
