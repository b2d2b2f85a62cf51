"""The pages behind links in a real browser: for every reader, on a phone, without a script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from rendering.links import Confirm, Link, Links, Preferences, Unsubscribe
from tests.api.given import SECRET
from tests.api.linked import open_pages, words
from tests.clients.installed import program
from tests.clients.serving import Serving

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
# WCAG 2.2, levels A and AA, and what axe counts as good practice.
_OPTIONS = {"resultTypes": ["violations"]}
_LEAVE, _CHOOSE = Unsubscribe("c1", "onboarding"), Preferences("c1")
_CONFIRM = Confirm("c1", "news", "email")
_SIZES = ({"width": 375, "height": 700}, {"width": 1024, "height": 700})


@dataclass(frozen=True)
class Reader:
    """Somebody with a browser and the links of their mail."""

    browser: Browser
    api: Serving

    def address(self, link: Link) -> str:
        return Links(self.api.host, [SECRET]).url(link)

    async def page(self, *, script: bool = True) -> Page:
        return await self.browser.new_page(java_script_enabled=script)


@pytest.fixture
async def reader(api: Serving) -> AsyncIterator[Reader]:
    async with chromium() as browser:
        yield Reader(browser, api)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A fresh browser. Skips without Chromium, and in CI fails."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium", "chromium"), args=list(_FLAGS)
        )
        try:
            yield browser
        finally:
            await browser.close()


async def barriers(page: Page) -> list[str]:
    """What axe finds wrong, on a phone and on a desk, by day and by night; and what is too wide."""
    found: list[str] = []
    for size in _SIZES:
        await page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            results = await Axe().run(page, options=_OPTIONS)
            found += [
                f"{scheme} {size['width']}: {each['id']}: {each['nodes'][0]['html']}"
                for each in results.response["violations"]
            ]
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"wider than {size['width']}")
    return found


async def test_no_page_keeps_anybody_out(reader: Reader) -> None:
    await open_pages(reader.api.services, locale="fr")
    page = await reader.page()
    looked = 0
    for link in (_LEAVE, Unsubscribe("c1", None), _CHOOSE, _CONFIRM):
        await page.goto(reader.address(link))
        assert await barriers(page) == [], link
        if await page.locator("button").count():
            await page.locator("button").first.click()
            assert await barriers(page) == [], link
            looked += 1
    await page.goto(f"{reader.api.host}/u/rubbish")
    assert await barriers(page) == []
    assert looked == 3


async def test_axe_sees_a_barrier_where_there_is_one(reader: Reader) -> None:
    page = await reader.page()
    await page.set_content(
        "<html><body><input type=checkbox><p style='color:#ccc;width:2000px'>faint</p>"
    )
    found = " ".join(await barriers(page))
    for each in ("html-has-lang", "label", "color-contrast", "wider than 375"):
        assert each in found


async def test_everything_works_without_a_script(reader: Reader) -> None:
    services = reader.api.services
    await open_pages(services)
    page = await reader.page(script=False)
    await page.goto(reader.address(_LEAVE))
    await page.get_by_role("button", name="Unsubscribe from “Getting started”").click()
    await page.get_by_role("button", name="Subscribe me to “Getting started” again").click()
    await page.get_by_role("link", name="Choose what you receive").click()
    news = page.get_by_role("group", name="News")
    await news.get_by_label("By e-mail").check()
    await page.get_by_label("Which links you follow").uncheck()
    await page.get_by_role("button", name="Save").click()
    assert "Yes to “News: By e-mail”" in await page.get_by_role("status").inner_text()
    assert await news.get_by_label("By e-mail").is_checked()
    await page.get_by_role("button", name="Unsubscribe from everything").click()
    assert not await news.get_by_label("By e-mail").is_checked()
    assert await words(services) == [
        ("onboarding", None, "unsubscribed"),
        ("onboarding", None, "subscribed"),
        ("news", "email", "subscribed"),
        ("tracking.clicks", None, "unsubscribed"),
        (None, None, "unsubscribed"),
    ]
