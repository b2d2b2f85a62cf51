"""How a page looks in a real Chromium, by measure: what a person would see is wrong with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from tests.clients.installed import program

_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_HEIGHT = 800

# Below 13 pixels people pinch; 40 is the least that a thumb hits (WCAG 2.2, 2.5.8, asks 24, and
# 44 in its stricter form); 4.5 is the contrast of WCAG 2.2, 1.4.3.
_LOOK = """() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) wrong.push(`${root.scrollWidth} pixels wide`);
  for (const img of document.images) if (!img.hasAttribute('alt')) wrong.push('no alt');
  for (const a of document.querySelectorAll('.button a, .footer a')) {
    const height = a.getBoundingClientRect().height;
    if (height < 40) wrong.push(`a link ${height} pixels high: ${a.textContent.trim()}`);
  }
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = rgb(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const said = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    if (!said || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) < 13) wrong.push(`text of ${style.fontSize}: ${said}`);
    const [less, more] = [light(rgb(style.color)), light(behind(element))].sort((a, b) => a - b);
    const contrast = (more + 0.05) / (less + 0.05);
    if (contrast < 4.5) wrong.push(`a contrast of ${contrast.toFixed(1)}: ${said}`);
  }
  return wrong;
}"""


@asynccontextmanager
async def chromium_page() -> AsyncIterator[Page]:
    """A page in a fresh browser that loads nothing. Skips without Chromium, and in CI fails."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium", "chromium"), args=list(_FLAGS)
        )
        try:
            page = await browser.new_page()
            await page.route("**", lambda route: route.abort())
            yield page
        finally:
            await browser.close()


async def blemishes(page: Page, html: str, width: int) -> list[str]:
    """What is wrong with it at this width, by day and by night."""
    await page.set_viewport_size({"width": width, "height": _HEIGHT})
    await page.set_content(html, wait_until="domcontentloaded")
    found: list[str] = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {each}" for each in await page.evaluate(_LOOK)]
    return found
