"""A real Chromium with a page of an app in it, which loads the real analytics.js from npm.

The page lies on a port of its own, hence in another origin than the API: what a browser
refuses across origins is what is tested. The one surprising fact: the bundle of npm is
served as it is, and `import` finds it by an import map, so a page's program can be what the
docs show.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from tests.clients.installed import installation, program
from tests.clients.serving import listening

_BUNDLE = "node_modules/@segment/analytics-next/dist/umd/index.js"
_MODULE = "export const { AnalyticsBrowser } = window.AnalyticsNext;"
_PAGE = """\
<!doctype html>
<title>An app</title>
<link rel="icon" href="data:,">
<script src="/analytics.js"></script>
<script type="importmap">{"imports": {"@segment/analytics-next": "/module.js"}}</script>
<script type="module" src="/app.js"></script>
"""
_FLAGS = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Chromium itself calls home otherwise, and the network is closed.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class App:
    """An app's page. `program` is its JavaScript; opening it runs it."""

    page: Page
    host: str
    program: str = ""

    async def run(self, program: str) -> object:
        """Open the page and run a program in it; what it left in `window.done`, awaited."""
        self.program = program
        await self.page.goto(self.host, wait_until="load")
        return await self.page.evaluate("window.done")


@asynccontextmanager
async def app() -> AsyncIterator[App]:
    """A page in a fresh browser. Skips without Chromium or the client, and in CI fails."""
    bundle = installation("analytics-next") / _BUNDLE
    opened: list[App] = []

    def text(text: str) -> Response:
        return Response(text, media_type="text/javascript")

    async def own(_: Request) -> Response:
        return text(opened[0].program)

    async def module(_: Request) -> Response:
        return text(_MODULE)

    async def script(_: Request) -> Response:
        return FileResponse(bundle)

    async def page(_: Request) -> Response:
        return HTMLResponse(_PAGE)

    served = {"/": page, "/analytics.js": script, "/module.js": module, "/app.js": own}
    site = Starlette(routes=[Route(path, each) for path, each in served.items()])
    async with listening(site) as host, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium", "chromium"), args=list(_FLAGS)
        )
        try:
            opened.append(App(await browser.new_page(), host))
            yield opened[0]
        finally:
            await browser.close()
