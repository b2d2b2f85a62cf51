"""Every block that shows how to connect an app is run as it stands, against a real API.

Only what a reader changes too is changed: the address, and the key in place of `pk_…`. The
one surprising fact: the page's first command makes the key that all the others use.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.api.given import SECRET
from tests.clients.chromium import app
from tests.clients.installed import installation, node
from tests.clients.serving import Serving, serving
from tests.docs.pages import Fence, page
from tests.lint.checkout import ROOT
from tests.store.conftest import migrated_file  # noqa: F401 — a fixture

CONNECT, README = page("docs/connect.md"), page("README.md")
HOST, KEY = "http://127.0.0.1:8080", "pk_…"

_RUN_S = 60.0  # the slowest takes 2 s on an idle machine

PYTHON = {
    "segment": ("segment-2.2.3", "segment-2.3.4", "segment-newest"),
    "rudder": ("rudder",),
}
NODE = ("analytics-node-2.3.0", "analytics-node-newest")


def fences(language: str, kind: str = "") -> list[Fence]:
    return [fence for fence in CONNECT.fences(language) if fence.kind == kind]


@pytest.fixture
async def api(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Serving]:  # noqa: F811
    async with serving(migrated_file, tmp_path) as running:
        yield running


async def run(
    command: Sequence[str], text: str, folder: Path, environment: dict[str, str]
) -> tuple[str, str]:
    """What a program says that reads its text from standard input; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
    )
    async with asyncio.timeout(_RUN_S):
        out, err = await process.communicate(text.encode())
    assert process.returncode == 0, err.decode()
    return out.decode(), err.decode()


def filled(fence: Fence, api: Serving) -> str:
    """The block with this API's address and key, as its reader would write them."""
    assert HOST in fence.text
    assert (KEY in fence.text) or ("$KEY" in fence.text)
    return fence.text.replace(HOST, api.host).replace(KEY, api.key)


async def names(api: Serving) -> list[str]:
    """What came: the names of events, else the calls."""
    return [event.name or event.kind for event in await api.events()]


def test_every_block_of_the_page_is_one_that_is_run() -> None:
    opened = re.findall(r"^```(\S.*)$", CONNECT.text, re.MULTILINE)
    blocks = {f"python {kind}" for kind in PYTHON} | {"js node", "js browser"}
    commands = {"bash", "json answer", "json events.json", "json history.json"}
    assert {*opened} == blocks | commands
    assert len(fences("bash")) == len(re.findall("^curl ", CONNECT.text, re.MULTILINE)) + 1


@pytest.mark.parametrize(
    ("kind", "client"), [(kind, client) for kind, clients in PYTHON.items() for client in clients]
)
async def test_the_python_blocks_deliver(
    api: Serving, tmp_path: Path, kind: str, client: str
) -> None:
    (fence,) = fences("python", kind)
    path = {"PYTHONPATH": str(installation(client))}
    await run((sys.executable, "-S", "-B", "-"), filled(fence, api), tmp_path, path)
    assert await names(api) == ["identify", "trial_started"]


async def test_the_python_block_of_the_readme_delivers(api: Serving, tmp_path: Path) -> None:
    (fence,) = README.fences("python")
    path = {"PYTHONPATH": str(installation("segment-newest"))}
    await run((sys.executable, "-S", "-B", "-"), filled(fence, api), tmp_path, path)
    assert await names(api) == ["identify", "trial_started"]


@pytest.mark.parametrize("client", NODE)
async def test_the_node_block_delivers(api: Serving, client: str) -> None:
    (fence,) = fences("js", "node")
    folder = installation(client)
    await run((node(), "--input-type=module", "-"), filled(fence, api), folder, {})
    assert await names(api) == ["identify", "trial_started"]


@pytest.mark.long
async def test_the_browser_block_delivers(api: Serving) -> None:
    (fence,) = fences("js", "browser")
    async with app() as page, page.page.expect_response("**/v1/t") as answer:
        await page.run(filled(fence, api))
        assert (await answer.value).status == 200
    assert await names(api) == ["identify", "pricing_viewed"]


def answers() -> list[tuple[Fence, dict[str, object]]]:
    """Each command with the answer that the page tells of it: success, if it tells none."""
    told: list[tuple[Fence, dict[str, object]]] = []
    blocks = [*CONNECT.fences("bash"), *fences("json", "answer")]
    for block in sorted(blocks, key=lambda fence: fence.line):
        if block.language == "json":
            told[-1] = (told[-1][0], json.loads(block.text))
        else:
            told.append((block, {"success": True}))
    return told


@pytest.fixture
async def environment(api: Serving, tmp_path: Path) -> dict[str, str]:
    """What the commands find: the files of the page, the program, and the key that it made."""
    for fence in CONNECT.fences("json"):
        if fence.kind != "answer":
            (tmp_path / fence.kind).write_text(fence.text, encoding="utf-8")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    store = {
        "PARCOURS_DATABASE_URL": str(api.services.settings.database_url),
        "PARCOURS_SECRET_KEY": SECRET,
    }
    (first, _), *_ = answers()
    out, _ = await run(("bash", "-eu"), f'{first.text}\necho "$KEY"', tmp_path, store)
    assert out.startswith("pk_")
    return {"KEY": out.strip()}


@pytest.mark.parametrize(
    ("fence", "answer"), answers()[1:], ids=[f"line {fence.line}" for fence, _ in answers()[1:]]
)
async def test_a_command_is_answered_as_the_page_says(
    api: Serving,
    tmp_path: Path,
    environment: dict[str, str],
    fence: Fence,
    answer: dict[str, object],
) -> None:
    out, _ = await run(("bash", "-eu"), filled(fence, api), tmp_path, environment)
    assert json.loads(out) == answer
    assert (await names(api) != []) is (answer == {"success": True})


async def test_history_comes_with_its_own_times_and_twice_is_once(
    api: Serving, tmp_path: Path, environment: dict[str, str]
) -> None:
    (fence,) = [each for each in fences("bash") if "history.json" in each.text]
    for _ in range(2):
        await run(("bash", "-eu"), filled(fence, api), tmp_path, environment)
    kept = [(event.occurred_at.date().isoformat(), event.name) for event in await api.events()]
    assert kept == [("2026-01-15", None), ("2026-03-01", "order_placed")]
