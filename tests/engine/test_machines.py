"""Programs that fetch links are told apart from readers."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.machines import is_machine

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; ms-office; MSOffice 16)"


@pytest.mark.parametrize("agent", [SAFARI, CHROME, OUTLOOK])
def test_a_readers_browser_is_a_reader(agent: str) -> None:
    assert not is_machine("GET", {"user-agent": agent}, LONG_AGO, NOW)
    assert not is_machine("GET", {"user-agent": agent}, None, NOW)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Barracuda Sentinel (EE)",
        "WhatsApp/2.24 A",
        "Slackbot-LinkExpanding 1.0",
        "curl/8.5.0",
        "python-requests/2.32",
        "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 HeadlessChrome/142 Safari/537.36",
    ],
)
def test_a_program_that_says_so_is_one(agent: str) -> None:
    assert is_machine("GET", {"user-agent": agent}, LONG_AGO, NOW)


def test_what_is_fetched_ahead_or_only_looked_at_is_read_by_nobody() -> None:
    assert is_machine("GET", {"user-agent": SAFARI, "sec-purpose": "prefetch"}, LONG_AGO, NOW)
    assert is_machine("GET", {"user-agent": SAFARI, "purpose": "Prefetch"}, LONG_AGO, NOW)
    assert is_machine("HEAD", {"user-agent": SAFARI}, LONG_AGO, NOW)


def test_whoever_clicks_while_the_mail_is_being_delivered_is_a_scanner() -> None:
    headers = {"user-agent": CHROME}
    assert is_machine("GET", headers, NOW - timedelta(seconds=9), NOW)
    assert not is_machine("GET", headers, NOW - timedelta(seconds=10), NOW)
