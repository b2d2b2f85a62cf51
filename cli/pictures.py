"""Pictures of pages, taken by a Chromium of this machine.

Decides how a page is shown to it: in a frame of just the width that is asked for, as high as
the page turns out to be, without scripts and without a network. The surprising fact: the
frame is needed, since a window of Chromium is never narrower than 500 pixels, and a page
photographed without one shows the left 375 of them.
"""

import html
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.errors import TroubleError, WrongInputError

# As packages of several systems call it; the last is where macOS keeps it.
_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    # Chromium itself calls home otherwise.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The policy of the stage forbids every load; this is for what heeds none.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# A second, usually; on a busy machine ten were seen.
_TIMEOUT_S = 60.0
# Beyond this a picture is of no use, and Chromium paints none.
_MAX_HEIGHT = 12_000
# Only for measuring: any height will do, and pages that fill the window stay short.
_MEASURING_HEIGHT = 400

# A frame takes over the policy of the page that it is in; the sandbox keeps scripts from
# running in it, while ours may read its height.
_STAGE = """\
<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<style>body { margin: 0 } iframe { display: block; border: 0 }</style>
"""
_FRAME = """\
<iframe sandbox="allow-same-origin" width="{width}" height="{height}" srcdoc="{page}"
  onload="document.documentElement.dataset.w{width} =
    this.contentDocument.documentElement.scrollHeight"></iframe>
"""
_HEIGHT = re.compile(r'data-w(\d+)="(\d+)"')


def find_chromium(named: Path | None) -> Path | None:
    """The one that was named, else one on the PATH; None if there is none.

    Raises WrongInputError if the one that was named can't be run.
    """
    if named is not None and shutil.which(named) is None:
        raise WrongInputError(f"there is no browser at {named}: name Chromium's own program")
    found = (shutil.which(each) for each in ([named] if named is not None else _NAMES))
    return next((Path(path) for path in found if path is not None), None)


def photograph(chromium: Path, page: str, pictures: Mapping[int, Path]) -> None:
    """Write PNGs of an HTML page, each so many pixels wide. Raises TroubleError."""
    with TemporaryDirectory(prefix="parcours-preview-") as folder:
        # A profile of its own: with that of a browser that is open, that one would answer.
        common = [f"--user-data-dir={folder}/profile"]
        stage = Path(folder) / "stage.html"
        _set_up(stage, page, dict.fromkeys(pictures, _MEASURING_HEIGHT))
        shown = _run(chromium, [*common, "--dump-dom", stage.as_uri()])
        heights = {int(width): int(height) for width, height in _HEIGHT.findall(shown)}
        for width, picture in pictures.items():
            if width not in heights:
                raise TroubleError(f"{chromium} did not show the page, so there is no {picture}")
            height = min(heights[width], _MAX_HEIGHT)
            _set_up(stage, page, {width: height})
            picture.unlink(missing_ok=True)  # an older one must not pass for this one
            where = [f"--window-size={width},{height}", f"--screenshot={picture.resolve()}"]
            _run(chromium, [*common, *where, stage.as_uri()])
            if not picture.exists():
                raise TroubleError(f"{chromium} did not write {picture}")


def _set_up(stage: Path, page: str, frames: Mapping[int, int]) -> None:
    """The page in frames, by width and height."""
    source = html.escape(page)
    shown = (_FRAME.format(width=w, height=h, page=source) for w, h in frames.items())
    stage.write_text(_STAGE + "".join(shown), encoding="utf-8")


def _run(chromium: Path, arguments: Sequence[str]) -> str:
    """What it printed. Raises TroubleError."""
    # Root can't have Chromium's own sandbox; a container usually runs as root.
    unboxed = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [str(chromium), *_FLAGS, *unboxed, *arguments]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # to be stopped with all that it starts
        )
    except OSError as error:
        raise TroubleError(f"{chromium} can't be run: {error.strerror or error}") from None
    try:
        out, trouble = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise TroubleError(f"{chromium} made no picture within {_TIMEOUT_S:g} s") from None
    finally:
        _stop(process)
    if process.returncode != 0:
        said = trouble.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else "no word why"
        raise TroubleError(f"{chromium} made no picture (exit code {process.returncode}): {why}")
    return out.decode("utf-8", "replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Whatever ended the wait, a time-out or Ctrl-C, nothing of it stays behind."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
