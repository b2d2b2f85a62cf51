"""What is logged says what went wrong, and nothing about whom."""

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest

from tests.api.noisy import SECRETS
from tests.cli.running import environment
from tests.lint.checkout import ROOT


async def logged(url: str, form: str, *more: str) -> str:
    """Everything that the process wrote, but for its last word."""
    arguments = ["-m", "tests.api.noisy", url, form, *more]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=environment(PYTHONTZPATH=""),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert out.decode() == "done\n", err.decode()
    return err.decode()


def leaks(text: str) -> Iterator[str]:
    """Lines with something in them that a customer's app had sent."""
    for line in text.splitlines():
        if any(secret in line for secret in SECRETS):
            yield line


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_line_has_anything_of_a_customer_in_it(url: str, form: str) -> None:
    text = await logged(url, form)
    assert list(leaks(text)) == []
    # It was not silence that passed.
    for told in ("reserved_name", "invalid_json", "put aside", "could not be kept", "KeyError"):
        assert told in text, told
    assert text.count("ValueError") >= 1
    assert "Exception in ASGI application" in text
    assert "api/routes/ingest.py" in text  # where it crashed


async def test_a_line_that_names_a_customer_is_found(url: str) -> None:
    text = await logged(url, "json", "leak")
    (line,) = leaks(text)
    assert json.loads(line)["customer"] == SECRETS[0]


async def test_every_line_is_an_object_with_its_level_and_its_logger(url: str) -> None:
    lines = [json.loads(line) for line in (await logged(url, "json")).splitlines()]
    assert len(lines) > 10
    for line in lines:
        assert {"event", "level", "logger", "timestamp"} <= set(line)
    (refused, *_) = [line for line in lines if line.get("code") == "reserved_name"]
    assert (refused["calls"], refused["key"], refused["level"]) == (1, "test", "warning")
