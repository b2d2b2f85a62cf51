"""SMTP against every fault at every command: each outcome is the one that the docs say."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from activities.providers.smtp import SmtpProvider, SmtpServer
from tests.activities.documented import Line, documented, outcomes
from tests.activities.faults.smtp_stub import STAGES, SmtpFault, SmtpStub
from tests.activities.mails import outcome_of

# Silence has to be waited for, longer only where the machine is too busy to come so far in
# time; everything else may take as long as it needs.
PATIENCE = [timedelta(milliseconds=milliseconds) for milliseconds in (150, 1_000, 10_000)]
LONG = [timedelta(seconds=30)]
_STEP = 64

# Those with a meaning of their own to a client: 421 closes, 530 wants a log-in.
_SOME_4XX = (400, 421, 451, 499)
_SOME_5XX = (500, 530, 554, 599)


async def outcome(stub: SmtpStub, fault: SmtpFault) -> str:
    username, password = ("acme", "secret") if fault.stage == "the log-in" else (None, None)
    server = SmtpServer("127.0.0.1", stub.port, username, password)
    for limit in PATIENCE if fault.says == "no reply" else LONG:
        async with stub.failing(fault):
            found = await outcome_of(SmtpProvider(server, limit=limit))
        if stub.stage == fault.stage or fault.says != "no reply":
            return found
    raise AssertionError(f"the client never came to {fault.stage}")


def replies(stage: str, every: bool) -> Iterator[SmtpFault]:
    for code in range(400, 500) if every else _SOME_4XX:
        yield SmtpFault(stage, f"{code} as told")
    for code in range(500, 600) if every else _SOME_5XX:
        if stage != "RCPT TO" or code not in (550, 551, 553):  # they have their own table
            yield SmtpFault(stage, f"{code} as told")
    for takes in (False, True) if stage == "the mail" else (False,):
        yield SmtpFault(stage, "reset", takes=takes)
        yield SmtpFault(stage, "no reply", takes=takes)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
async def test_every_fault_has_the_outcome_that_the_page_says(stage: str, every: bool) -> None:
    page, wrong, seen = outcomes("SMTP")[stage], [], Counter[str]()
    async with SmtpStub().opened() as stub:
        for fault in replies(stage, every):
            before = len(stub.readers)
            found = await outcome(stub, fault)
            seen[fault.row] += 1
            if found != page[fault.row]:
                wrong.append(f"{fault}: {found}, not {page[fault.row]}")
            if len(stub.readers) > before and found != "ambiguous":
                wrong.append(f"{fault}: it was taken")
    assert wrong == []
    assert set(seen) == set(page)


async def test_a_reset_at_each_64th_byte_is_that_of_its_stage() -> None:
    page, seen = outcomes("SMTP"), Counter[str]()
    async with SmtpStub().opened() as stub:
        assert await outcome(stub, SmtpFault()) == "accepted"
        for cut in [*range(0, stub.size, _STEP), *range(0, 160, 8), stub.size - 1]:
            before = len(stub.readers)
            found = await outcome(stub, SmtpFault(of_request=cut))
            assert found == page[stub.stage]["reset"], (cut, stub.stage)
            assert len(stub.readers) == before
            seen[stub.stage] += 1
    assert set(seen) >= {"the greeting", "EHLO", "MAIL FROM", "RCPT TO", "the mail"}
    assert seen["the mail"] > 5


async def test_a_server_that_is_away_has_not_taken_it() -> None:
    async with SmtpStub().opened() as stub:
        assert await outcome(stub, SmtpFault(is_away=True)) == "not taken"


@pytest.mark.parametrize("line", documented("Addresses refused by SMTP"), ids=str)
async def test_whose_fault_a_refused_address_is_as_the_page_says(line: Line) -> None:
    async with SmtpStub().opened() as stub:
        fault = SmtpFault("RCPT TO", f"{line.says} {line.example}")
        assert await outcome(stub, fault) == line.outcome


def test_every_stage_has_its_column() -> None:
    assert tuple(outcomes("SMTP")) == STAGES
