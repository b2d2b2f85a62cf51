"""`parcours preview` writes a message as a customer would get it, and pictures of it."""

import json
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest

from cli.errors import TroubleError
from cli.main import run
from cli.pictures import find_chromium, photograph
from tests.cli.running import Ran
from tests.clients.installed import program
from tests.lint.checkout import ROOT

ADA = """\
email: ada@example.com
first_name: Ada
timezone: Europe/Paris
representative: {name: Inès Laurent, email: ines@atelier.example}
"""


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG (its specification, 11.2.2)."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


Preview = Callable[..., Ran]


@pytest.fixture
def preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Preview:
    """Runs it for this customer, without a browser unless an option names one.

    In this process, for a new one costs a second.
    """
    monkeypatch.chdir(ROOT)

    def _preview(message: str, *options: str | Path, customer: str = ADA) -> Ran:
        (tmp_path / "ada.yaml").write_text(customer)
        given = ("--customer", tmp_path / "ada.yaml", "--out", tmp_path / "out", *options)
        monkeypatch.setattr("sys.argv", ["parcours", "preview", message, *map(str, given)])
        if "--chromium" not in options:
            monkeypatch.setenv("PATH", "")  # no browser there
        code = run()
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return _preview


def copy(folder: Path, message: str, **files: str) -> Path:
    """The journeys, with these files in a message of theirs."""
    shutil.copytree(ROOT / "journeys", folder / "journeys")
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / "journeys" / message / f"{stem}.{ending}").write_text(text)
    return folder / "journeys"


def test_a_mail_is_written_as_text_and_page_in_the_language_asked_for(
    tmp_path: Path, preview: Preview
) -> None:
    ran = preview("trial-onboarding/demo", "--locale", "fr-CA")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "From: Inès Laurent <ines@atelier.example>",
        "Reply-To: ines@atelier.example",
        "Subject: Ada, et si nous regardions Atelier ensemble ?",
    ]
    out = tmp_path / "out"
    assert sorted(each.name for each in out.iterdir()) == ["email.html", "email.txt", "subject.txt"]
    assert "Bonjour Ada," in (out / "email.txt").read_text()
    assert "Choisir ce que je reçois" in (out / "email.html").read_text()
    assert "no picture: there is no Chromium on the PATH" in ran.err


def test_the_offer_is_that_of_the_step_and_the_event_comes_from_its_file(
    tmp_path: Path, preview: Preview
) -> None:
    text = "{{ offer.code }} {{ offer.percent | percent }} {{ event.cart.total | money }}"
    journeys = copy(tmp_path, "trial-onboarding/coupon", sms_txt=text, card_html="<p>A card</p>")
    (tmp_path / "event.json").write_text(json.dumps({"cart": {"total": 49.5}}))
    ran = preview("trial-onboarding/coupon", "--event", tmp_path / "event.json",
        "--journeys", journeys,
    )  # fmt: skip
    assert ran.code == 0
    assert (tmp_path / "out" / "sms.txt").read_text() == "SAMPLE42 20% €49.50\n"
    assert (tmp_path / "out" / "card.html").read_text() == "<p>A card</p>\n"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("trial-onboarding/cupon", "did you mean `trial-onboarding/coupon`?"),
        ("coupon", "did you mean `trial-onboarding/coupon`?"),
        ("nothing", "the messages are `confirm-subscription/confirm`, `trial-onboarding/coupon`"),
    ],
)
def test_a_message_that_is_not_there_gets_a_hint(
    tmp_path: Path, preview: Preview, message: str, told: str
) -> None:
    ran = preview(message)
    assert (ran.code, ran.out) == (2, "")
    assert f"there is no message `{message}`" in ran.err
    assert told in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("customer", "told"),
    [
        ("first_name: Ada\nplan: [a\n", ":3: this is not YAML: a `[` is not closed"),
        ('{"first_name": "Ada",\n "first_name": "Eve"}', ":2: the key `first_name` is here for"),
        ("- Ada\n", ":1: expected keys with values, such as `first_name: Ada`"),
    ],
)
def test_a_customer_file_that_can_t_be_read_is_told_with_its_line(
    tmp_path: Path, preview: Preview, customer: str, told: str
) -> None:
    ran = preview("trial-onboarding/tip", customer=customer)
    assert (ran.code, ran.out) == (2, "")
    assert f"{tmp_path / 'ada.yaml'}{told}" in ran.err


def test_files_languages_and_browsers_that_are_not_there_are_told(
    tmp_path: Path, preview: Preview
) -> None:
    for options, told in (
        (("--event", tmp_path / "no.yaml"), "no.yaml can't be read: No such file"),
        (("--locale", "klingonese"), "--locale: `klingonese` is not a language"),
        (("--chromium", tmp_path / "no"), f"there is no browser at {tmp_path / 'no'}"),
        (("--out", tmp_path / "ada.yaml"), "ada.yaml can't be written to"),
    ):
        ran = preview("trial-onboarding/tip", *options)
        assert (ran.code, ran.out) in ((2, ""), (1, ""))
        assert told in ran.err


@pytest.mark.parametrize("whose", ["trial-onboarding/tip/subject.txt", "layout.html"])
def test_a_template_that_breaks_is_told_with_file_and_line(
    tmp_path: Path, preview: Preview, whose: str
) -> None:
    journeys = copy(tmp_path, "trial-onboarding/tip")
    text = (journeys / whose).read_text()
    (journeys / whose).write_text(text + "\n{{ customer.company }}")
    ran = preview("trial-onboarding/tip", "--journeys", journeys)
    line = text.count("\n") + 2
    assert ran.code == 2
    assert f"{journeys / whose}:{line}: `customer.company` has no value" in ran.err


# -- pictures -----------------------------------------------------------------------------


def test_pictures_of_a_mail_are_as_wide_as_asked_for(tmp_path: Path, preview: Preview) -> None:
    ran = preview("trial-onboarding/coupon", "--chromium", program("chromium", "chromium"))
    assert ran.code == 0, ran.err
    assert "written to" in ran.err.splitlines()[-1]
    wide, narrow = (size(tmp_path / "out" / f"email-{width}.png") for width in (600, 375))
    assert (wide[0], narrow[0]) == (600, 375)
    assert 600 < wide[1] < narrow[1] < 3_000  # what is narrower is longer


@contextmanager
def counting() -> Iterator[tuple[str, list[str]]]:
    """A web server of this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_page_loads_nothing_runs_nothing_and_is_shown_whole(tmp_path: Path) -> None:
    with counting() as (host, asked):
        page = f"""<html><head><meta http-equiv="refresh" content="0; url={host}/refresh">
          <link rel="stylesheet" href="{host}/sheet"><style>@import "{host}/import";
          body {{ margin: 0 }} p {{ height: 1234px; background: url({host}/background) }}</style>
          </head><body><p><img src="{host}/picture" alt=""><iframe src="{host}/frame"></iframe>
          <script>fetch("{host}/fetched"); document.body.innerHTML = ""</script></body></html>"""
        photograph(Path(program("chromium", "chromium")), page, {375: tmp_path / "page.png"})
        with urlopen(f"{host}/control") as answer:
            assert answer.status == 204
    assert asked == ["/control"]
    width, height = size(tmp_path / "page.png")
    assert width == 375
    assert height >= 1234


def browser(folder: Path, script: str) -> Path:
    """A program in place of Chromium."""
    path = folder / "browser"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo no display >&2; exit 3", r"made no picture \(exit code 3\): no display"),
        ("exit 0", "did not show the page"),
        ("echo 'data-w600=\"5\"'", "did not write"),
        ("sleep 60 & sleep 60", r"made no picture within 0\.2 s"),
    ],
)
def test_a_browser_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr("cli.pictures._TIMEOUT_S", 0.2)
    picture = tmp_path / "page.png"
    picture.write_text("an older one")
    with pytest.raises(TroubleError, match=told):
        photograph(browser(tmp_path, script), "<p>Hello</p>", {600: picture})


def test_the_browser_that_is_named_comes_first(tmp_path: Path) -> None:
    named = browser(tmp_path, "exit 0")
    assert find_chromium(named) == named
