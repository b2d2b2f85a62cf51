"""A folder with twenty different mistakes, of which all twenty are named."""

from pathlib import Path

import pytest

from authoring.folder import load_journeys
from authoring.mistakes import JourneysInvalid, Mistake

FOLDER = Path(__file__).parent / "twenty_mistakes"

# File, line, what is wrong, and what to write instead: both must stand in the message.
TWENTY = [
    ("broken/journey.yaml", 2, "not YAML", "in quotes"),
    ("onboarding/journey.yaml", 7, "unknown key `reentr`", "`reenter`"),
    ("onboarding/journey.yaml", 10, "unknown unit `dya`", "`day`"),
    ("onboarding/journey.yaml", 12, "`trail_start + 2 days`", "`start`"),
    ("onboarding/journey.yaml", 15, "not `at` and `after_idle`", "exactly one of"),
    ("onboarding/journey.yaml", 17, "exactly one of", "`at`, `after_idle`, `after_event`"),
    ("onboarding/journey.yaml", 19, "no message `copon`", "`coupon`"),
    ("onboarding/journey.yaml", 24, "unknown topic `newz`", "`news`"),
    ("onboarding/journey.yaml", 27, "`when`: `customer.plan = 'trial'`", "`==`"),
    ("onboarding/journey.yaml", 28, "a second step `coupon`", "`id: coupon-2`"),
    ("onboarding/thanks/email.html", 3, "end of template", "closed is 'if'"),
    ("renamed/journey.yaml", 1, "`re-named` and its folder `renamed`", "`journey: renamed`"),
    ("twice/journey.yaml", 9, "`at` is here for the second time", "keep one of them"),
    ("welcome/scenarios.yaml", 6, "no step `hello`", "`hi`"),
    ("win-back/journey.yaml", 3, "`customer.left` is a reserved name", "`customer.created`"),
    ("win-back/journey.yaml", 7, "a circle, hello → bye → hello", "`start`"),
    ("win-back/journey.yaml", 12, "no time `25:00`", "from `00:00` to `23:59`"),
    ("win-back/journey.yaml", 16, "unknown day `fry`", "`friday`"),
    ("win-back/journey.yaml", 19, "an offer in a transactional message", "give the step a `topic`"),
    ("win-back/journey.yaml", 20, "unknown webhook `crn`", "`crm`"),
]


@pytest.fixture(scope="module")
def mistakes() -> tuple[Mistake, ...]:
    with pytest.raises(JourneysInvalid) as caught:
        load_journeys(FOLDER)
    return caught.value.mistakes


@pytest.mark.parametrize(("file", "line", "wrong", "instead"), TWENTY)
def test_each_mistake_is_named_with_file_line_and_what_to_write_instead(
    mistakes: tuple[Mistake, ...], file: str, line: int, wrong: str, instead: str
) -> None:
    [found] = [m for m in mistakes if (m.file, m.line) == (file, line)]
    assert wrong in found.message
    assert instead in found.message


def test_nothing_else_is_named_and_nothing_twice(mistakes: tuple[Mistake, ...]) -> None:
    assert [(m.file, m.line) for m in mistakes] == [(file, line) for file, line, *_ in TWENTY]
    assert len(mistakes) == 20


def test_a_mistake_reads_like_a_compilers(mistakes: tuple[Mistake, ...]) -> None:
    assert str(mistakes[1]) == (
        "onboarding/journey.yaml:7: unknown key `reentr`, did you mean `reenter`?"
    )
