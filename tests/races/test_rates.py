"""Everything is due at once on a channel that has a rate; the provider's own log is the judge."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.races.rated import BRIEF, LATENESS, Rush, Sent, most_within, rush

RATE = 20.0

# How many others may go before a transactional message that comes up beside a long line. Slots
# for 30 are given out when it asks; until it does, the machine wakes it, and then asks, while
# it does the same with a thousand others. In messages, since that does not hang on how busy a
# machine is.
_AHEAD = 300

# What a claim that was made within the grace may take to reach the provider on such a machine.
_ATTEMPT_S = 5.0


def too_late(sent: Sequence[Sent], stage: Rush, speed: float) -> list[float]:
    """By how many seconds brief ones went out past their grace, where they did."""
    grace = (BRIEF + LATENESS).total_seconds() / speed + _ATTEMPT_S
    beyond = [
        each.at - stage.due[each.enrollment].timestamp() - grace
        for each in sent
        if each.journey == "brief"
    ]
    return [seconds for seconds in beyond if seconds > 0]


def ahead(sent: Sequence[Sent], stage: Rush, due_at: datetime) -> int:
    """How many messages of marketing went between then and the last transactional one due then."""
    mine = [
        each.at
        for each in sent
        if each.journey == "receipt" and stage.due[each.enrollment] == due_at
    ]
    return sum(
        each.journey != "receipt" and due_at.timestamp() < each.at < max(mine) for each in sent
    )


async def check_who_got_what(stage: Rush) -> tuple[int, int]:
    """Everyone once, but for the brief ones that expired: how many of these did, and did not."""
    enrollments = [each.enrollment for each in stage.sent]
    assert len(set(enrollments)) == len(enrollments)
    expired = await stage.expired()
    assert expired.isdisjoint(enrollments)
    assert expired.union(enrollments) == set(stage.due)
    assert {each.partition(":")[0] for each in expired} <= {"brief"}
    return len(expired), sum(each.journey == "brief" for each in stage.sent)


async def test_sixty_messages_due_at_once_go_out_at_the_rate(tmp_path: Path) -> None:
    """A minute of the journey passes in two seconds, and some are worth nothing after that."""
    url, speed = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}", 30.0
    # All of them take five seconds, so that some are too late however slowly they come up.
    rate = 12.0
    async with rush(tmp_path, url, rate=rate, workers=1, speed=speed) as stage:
        due_at = datetime.now(UTC) + timedelta(seconds=2)
        await stage.enroll({"receipt": 12, "news": 24, "brief": 24}, due_at)
        await stage.carry()
        await stage.until_over()
        expired, went = await check_who_got_what(stage)
        times = [each.at for each in stage.sent]
        assert expired > 0
        assert went > 0
        assert too_late(stage.sent, stage, speed) == []
        # Three seconds carry 36; the rest is for a machine that is busy with other tests.
        assert most_within(times, 3.0) <= 45
        assert times[-1] - times[0] >= 0.8 * len(times) / rate
        assert ahead(stage.sent, stage, due_at) < 30


@pytest.mark.long
@pytest.mark.parametrize("on_postgres", [False, True], ids=["sqlite", "postgresql"])
async def test_two_thousand_messages_due_at_once_go_out_at_the_rate(
    tmp_path: Path, on_postgres: bool, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    if on_postgres:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database())
    async with rush(tmp_path, url, rate=RATE, workers=2) as stage:
        due_at = datetime.now(UTC) + timedelta(seconds=120)
        later = due_at + timedelta(seconds=50)
        await stage.enroll({"receipt": 480, "news": 1000, "brief": 500}, due_at)
        await stage.enroll({"receipt": 20}, later)
        await stage.carry()
        assert datetime.now(UTC) < due_at  # else they would not come up at once
        await stage.until_over()
        expired, went = await check_who_got_what(stage)
        sent = stage.sent
        times = [each.at for each in sent]
        first = sum(each.journey == "receipt" for each in sent[:480])
        asked, others = await stage.asked(), ahead(sent, stage, later)
        print(
            f"{len(sent)} in {times[-1] - times[0]:.1f} s, {expired} of 500 expired; "
            f"most in 10 s: {most_within(times, 10)}, in 1 s: {most_within(times, 1)}; "
            f"transactional among the first 480: {first}, others before the later ones: "
            f"{others}; asked {asked:.2f} times each"
        )
        assert expired > 0
        assert went > 0
        assert too_late(sent, stage, 1.0) == []
        assert most_within(times, 10.0) <= 1.1 * 10 * RATE
        assert first >= 0.75 * 480
        assert others <= _AHEAD
        assert asked <= 3


def test_a_burst_would_be_noticed() -> None:
    even = [number / RATE for number in range(400)]
    assert most_within(even, 10.0) == 10 * RATE
    burst = sorted([*even, *[7.0] * 21])
    assert most_within(burst, 10.0) == 10 * RATE + 21
