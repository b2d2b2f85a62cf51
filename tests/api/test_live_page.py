"""The page of events in a real browser: what arrives appears by itself, and nothing is lost."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from api.scopes import ALL_SCOPES
from api.services import Services
from store.database import Database
from tests.api.given import load_settings, make_key, publish
from tests.api.noisy import free_port
from worker.web import serving

pytestmark = pytest.mark.long

# The page asks every second; a busy machine may take a while to answer.
_SOON_MS = 10_000

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Stand:
    """An API that listens, and an app that sends to it."""

    def __init__(self, at: str, key: str) -> None:
        self.at = at
        self.key = key
        self._app = httpx.AsyncClient(base_url=at, headers={"Authorization": f"Bearer {key}"})

    async def send(self, event: str, **properties: str) -> None:
        body = {"userId": "c1", "event": event, "properties": properties}
        await self._app.post("/v1/track", json=body)

    async def close(self) -> None:
        await self._app.aclose()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if _CHROMIUM is None:
        assert "CI" not in os.environ, "CI needs a browser"
        pytest.skip("there is no chromium here")
    async with async_playwright() as playwright:
        # Without its own sandbox, which root may not have; it sees this machine only.
        started = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


@pytest.fixture
async def stand(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Stand]:
    path = tmp_path / "store.db"
    shutil.copy(migrated_file, path)
    url = f"sqlite+aiosqlite:///{path}"
    database, port = Database(url), free_port()
    await publish(database)
    settings = load_settings(url, api_port=port, api_host="127.0.0.1")
    stand = Stand(f"http://127.0.0.1:{port}", await make_key(database, *ALL_SCOPES))
    async with serving(Services(database=database, settings=settings)):
        yield stand
    await stand.close()
    await database.dispose()


async def opened(page: Page, stand: Stand, query: str = "") -> list[str]:
    """Open the events; what the browser complains of from now on."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{stand.at}/events?key={stand.key}{query}")
    return complaints


async def test_what_arrives_appears_by_itself_and_what_was_opened_stays_open(
    browser: Browser, stand: Stand
) -> None:
    await stand.send("first_one", plan="pro")
    page = await browser.new_page()
    complaints = await opened(page, stand)
    await expect(page.get_by_text("first_one")).to_be_visible()
    await page.locator("summary", has_text="plan: pro").click()
    for event in ("second_one", "with.dot"):
        await stand.send(event)
        shown = page.locator("li", has_text=event)
        await expect(shown).to_have_class(
            "refused new" if "." in event else "new", timeout=_SOON_MS
        )
    await expect(page.locator("details[open] pre")).to_contain_text('"plan": "pro"')
    await expect(page.locator("#live-state")).to_have_text("Live")
    assert complaints == []


async def test_paused_it_stays_as_it_is(browser: Browser, stand: Stand) -> None:
    page = await browser.new_page()
    await page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await opened(page, stand)
    await page.get_by_text("pause").click()
    await expect(page.get_by_text("Paused")).to_be_visible()
    before = len(asked)
    await page.clock.run_for(60_000)
    assert len(asked) == before
    await page.get_by_text("go live").click()
    await stand.send("later_one")
    await expect(page.get_by_text("later_one")).to_be_visible(timeout=_SOON_MS)


async def test_it_says_when_it_is_no_longer_live_and_comes_back(
    browser: Browser, stand: Stand
) -> None:
    page = await browser.new_page()
    await opened(page, stand)
    await page.context.set_offline(True)
    await expect(page.locator("#live-state")).to_contain_text("Not live", timeout=_SOON_MS)
    await stand.send("meanwhile")
    await page.context.set_offline(False)
    await expect(page.get_by_text("meanwhile")).to_be_visible(timeout=_SOON_MS)
    await expect(page.locator("#live-state")).to_have_text("Live")


async def test_without_scripts_the_page_loads_itself_again(browser: Browser, stand: Stand) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await opened(page, stand, "&name=patient_one")
    await expect(page.get_by_text("Nothing came in")).to_be_visible()
    await stand.send("patient_one")
    await expect(page.locator("li", has_text="patient_one")).to_be_visible(timeout=_SOON_MS)


async def test_a_narrow_screen_shows_it_whole(browser: Browser, stand: Stand) -> None:
    await stand.send("long_" + "x" * 200, url="https://acme.example/" + "y" * 300)
    page = await browser.new_page(viewport={"width": 375, "height": 700})
    await opened(page, stand)
    await expect(page.locator("#live li").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 375
