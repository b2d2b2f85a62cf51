"""Bodies that no SDK means to send: valid ones with something odd in them, or broken as bytes.

JSON is written by hand here, for `json.dumps` can't write what Python's own reader lets
through: `1e400`, half a surrogate pair, a key twice.
"""

import base64
import gzip
import zlib
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.fuzz.asking import Shot

# As JSON text. PostgreSQL keeps no NUL and no lone surrogate, neither database a number of
# more than 64 bits, an index no text of more than 2,700 bytes.
ODD = (
    "null", "true", "0", "-0", "-0.0", '""', "[]", "{}", '" "', "1e400", "-1e400", "1e-400",
    "NaN", "-Infinity", "9" * 30, "9" * 4000, "9" * 5000, "1" + "0" * 400 + ".5",
    r'"\ud800"', r'"a\udfff"', r'"\ude00\ud83d"', r'"\u0000"', r'"a\u0000b"', r'"\u001f"',
    r'"\uffff"', '"\U0010ffff"', '"é"', '"' + "x" * 101 + '"', '"' + "y" * 256 + '"',
    '"' + "z" * 5000 + '"', '"' + "\U0001f600" * 255 + '"', '"1e9999999"', '"sNaN"',
    '"-1e-9999999"',
    '"2026-11-23T09:00:00Z"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"',
    '"2026-02-30"', '"2026-11-23T24:00:00Z"', "1763888400", "-1e17", "1e17", "253402300799",
    '"Europe/Paris"', '"Europe"', '"../../etc/passwd"', '"/etc/passwd"', r'"Europe/Par\u0000is"',
    r'"\ud800/\ud800"', '{"a":1,"a":2}', r'{"\u0000":1,"\ud800":2,"":3}', "[" * 31 + "]" * 31,
    "[" * 33 + "]" * 33, '{"a":' * 40 + "1" + "}" * 40, "[" * 5000 + "]" * 5000, '"a.b"',
    '{"id":1}', '"{{ 7*7 }}"', '"%s%n"', '"\\\\u0000"',
)  # fmt: skip

_FIELDS = (
    "type", "userId", "event", "messageId", "properties", "traits", "context", "timestamp",
    "originalTimestamp", "sentAt", "name", "category", "anonymousId", "integrations",
)  # fmt: skip

# What the journeys of the stage look at.
_INNER = ("cart_id", "total", "plan", "trial_ends_at", "timezone", "locale", "email", "traits")

_EVENTS = ("trial_started", "cart_left", "subscription_purchased", "trial_cancelled", "opened")

odd = st.sampled_from(ODD)


@dataclass(frozen=True)
class Call:
    """A call as JSON text. `is_good`: it must be accepted, whatever is beside it."""

    text: str
    message_id: str
    is_good: bool


def _written(fields: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}"


@st.composite
def calls(draw: st.DrawFn, stem: str, may_be_odd: bool = True) -> Call:
    """A call of the customer `stem`, good or with something odd in it."""
    number = draw(st.integers(0, 10**9))
    message_id = f"{stem}-{number}"
    kind = draw(st.sampled_from(("track", "track", "identify", "page", "screen")))
    inner = {"plan": '"pro"', "cart_id": "7"}
    fields = {
        "type": f'"{kind}"',
        "userId": f'"{stem}"',
        "event": f'"{draw(st.sampled_from(_EVENTS))}"',
        "messageId": f'"{message_id}"',
        # Before the stage's now, and apart from each other, so that one call ends what another
        # began.
        "timestamp": f'"2026-11-24T0{draw(st.integers(0, 8))}:{draw(st.integers(10, 59))}:00Z"',
    }
    is_odd = may_be_odd and draw(st.booleans())
    more: list[tuple[str, str]] = []
    is_odd_inside = is_odd and draw(st.booleans())
    if is_odd_inside:
        for name in draw(st.lists(st.sampled_from(_INNER), min_size=1, max_size=2)):
            inner[name] = draw(odd)
    for place in ("properties", "traits", "context"):
        fields[place] = _written(list(inner.items()))
    if is_odd and not is_odd_inside:
        for name in draw(st.lists(st.sampled_from(_FIELDS), min_size=1, max_size=3)):
            fields[name] = draw(odd)
        # A second value of a key: the last one counts, in Python as in browsers.
        more = draw(st.lists(st.tuples(st.sampled_from(_FIELDS), odd), max_size=1))
    return Call(_written([*fields.items(), *more]), message_id, is_good=not is_odd)


def everywhere(value: str, stem: str) -> list[str]:
    """Calls with the value at every place that anything looks at, as JSON text.

    For each trait and property a customer who starts, and buys: `stem-0`, `stem-1`, …
    """
    found = []
    for number, name in enumerate(_INNER):
        who = f'"userId":"{stem}-{number}","messageId":"{stem}-{number}-'
        traits, rest = f'{{"{name}":{value}}}', f'{{"cart_id":7,"{name}":{value}}}'
        times = (f'"timestamp":"2026-11-24T0{hour}:00:00Z"' for hour in range(4))
        found += [
            f'{{"type":"identify",{who}a",{next(times)},"traits":{traits},"context":{traits}}}',
            f'{{"type":"track","event":"trial_started",{who}b",{next(times)}}}',
            f'{{"type":"track","event":"cart_left",{who}c",{next(times)},"properties":{rest}}}',
            f'{{"type":"track","event":"subscription_purchased",{who}d",{next(times)},'
            f'"properties":{rest}}}',
        ]
    for name in _FIELDS:
        fields = {"type": '"track"', "userId": f'"{stem}"', "event": '"opened"', name: value}
        found.append(_written(list(fields.items())))
    return found


@st.composite
def batches(draw: st.DrawFn, stem: str) -> tuple[str, list[Call]]:
    """A batch, and its calls. Good ones stand between the odd ones."""
    held = draw(st.lists(calls(stem), max_size=6, unique_by=lambda call: call.message_id))
    junk = [Call(text, "", False) for text in draw(st.lists(odd, max_size=2))]
    listed = draw(st.permutations([*held, *junk]))
    return '{"batch":[' + ",".join(call.text for call in listed) + "]}", held


def bits_flipped(raw: bytes, places: list[int]) -> bytes:
    """Each place names a bit."""
    changed = bytearray(raw)
    for place in places:
        if changed:
            changed[place // 8 % len(changed)] ^= 1 << place % 8
    return bytes(changed)


# Counted round and round: what is drawn may not hang on how long a body is, for stems differ.
_place = st.integers(0, 2**20)
_places = st.lists(_place, min_size=1, max_size=4)


@st.composite
def broken(draw: st.DrawFn, raw: bytes) -> bytes:
    """The bytes cut off, bent, followed by others, or replaced."""
    packed = gzip.compress(raw, mtime=0)
    match draw(st.integers(0, 9)):
        case 0:
            return raw[: draw(_place) % (len(raw) + 1)]
        case 1:
            return bits_flipped(raw, draw(_places))
        case 2:
            return raw + draw(st.binary(min_size=1, max_size=40))
        case 3:
            return draw(st.binary(max_size=60)) + raw
        case 4:
            return bits_flipped(packed, draw(_places))
        case 5:
            return packed[: 2 + draw(_place) % (len(packed) - 2)]
        case 6:
            return packed + draw(st.sampled_from([packed, b"\0" * 8, b"more", packed[:12]]))
        case 7:
            return draw(st.sampled_from([zlib.compress(raw), gzip.compress(packed, mtime=0)]))
        case 8:
            return raw.decode().encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-7"])))
        case _:
            place = draw(_place) % (len(raw) + 1)
            junk = draw(st.sampled_from([b"\xff", b"\xed\xa0\x80", b"\0", b"\xc0\x80", b"\xf8"]))
            return raw[:place] + junk + raw[place:]


def _authorizations(key: str) -> list[bytes]:
    """Ways of showing the key that work, with and without colon, space and case."""
    text = key.encode()
    return [
        b"Bearer " + text,
        b"bearer  " + text + b" ",
        b"Basic " + base64.b64encode(text),
        b"basic " + base64.b64encode(text + b":"),
        b"Basic " + base64.b64encode(text + b":password:more"),
    ]


# Ways that do not.
NO_KEY = (
    b"", b"Basic", b"Basic ", b"Bearer", b"Bearer \xff\xfe", b"Basic \xc3\xa9", b"Basic =",
    b"Basic ////", b"Basic \x00", b"Basic Og==", b"Basic AAAA", b"Basic " + b"A" * 60_000,
    b"Bearer " + b"k" * 60_000, b"Negotiate x", b"Basic Zm9v Zm9v", b"\xff", b"Bearer a\tb",
)  # fmt: skip


@st.composite
def shots(draw: st.DrawFn, path: str, body: bytes, key: str, is_shown: bool = True) -> Shot:
    """The body on its way: in parts, and under headers that say something else."""
    headers = [(b"host", b"parcours.test")]
    if is_shown:
        headers.append((b"authorization", draw(st.sampled_from(_authorizations(key)))))
    lies = {
        b"content-type": [
            b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b"\xff",
            b"multipart/form-data", b"application/json; charset=utf-16", b"",
        ],
        b"content-encoding": [b"gzip", b"br", b"identity", b"deflate, gzip", b"\x80"],
        b"content-length": [b"0", b"1", b"-5", b"abc", b"\xb2", b"400000", b""],
        b"transfer-encoding": [b"chunked", b"gzip, chunked"],
        b"accept": [b"text/html", b"\xff", b"*/*;q=9"],
        b"cookie": [b"parcours_session=\xff.x.y", b"=;;=", b"parcours_session=" + b"a" * 9000],
        b"x-forwarded-for": [b"\x00", b"1, 2"],
    }  # fmt: skip
    for name in draw(st.lists(st.sampled_from(sorted(lies)), max_size=3, unique=True)):
        headers.append((name, draw(st.sampled_from(lies[name]))))
    cuts = sorted(each % (len(body) + 1) for each in draw(st.lists(_place, max_size=3)))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    return Shot(path=path, headers=tuple(headers), parts=tuple(parts))
