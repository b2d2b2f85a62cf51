"""Every way an HTTP provider can fail: each stage, each status, each 64th byte."""

from collections.abc import Iterator

from tests.activities.faults.http_stub import Fault, Reply

_STEP = 64
_ELSEWHERE = (301, 302, 307, 308)
_REDIRECTS = "301, 302, 307, 308"
_OWN_ROW = (400, 409, 410, 413, 422, 429, 451)

# Bodies long enough to be cut in halves.
_LONG_BODY = b'{"message": "%s"}' % (b"x" * 300)


def faults(success: Reply, request_size: int, every: int = 1) -> Iterator[Fault]:
    """All of them, for a provider that says yes in this way to a request of this size.

    Of the statuses without a row of their own, each `every`-th.
    """
    yield Fault("no connection", is_away=True)
    yield from (Fault("reset in the request", of_request=n) for n in range(0, request_size, _STEP))
    yield from (Fault("no answer", takes=takes) for takes in (False, True))
    yield from _cut(success)
    yield from _statuses(success, every)


def _cut(success: Reply) -> Iterator[Fault]:
    """Resets after each 64th byte of an answer, be it good or bad."""
    good = Reply(success.status, success.body or _LONG_BODY, success.headers)
    bad = Reply(413, _LONG_BODY)
    for reply, row in ((good, "half a body of a success"), (bad, "half a body of a refusal")):
        takes, head = reply is good, len(reply.head)
        for cut in [*range(0, head, _STEP), head - 1]:
            yield Fault("reset in the head of the answer", reply, of_reply=cut, takes=takes)
        for cut in [*range(head, len(bytes(reply)), _STEP), len(bytes(reply)) - 1]:
            yield Fault(row, reply, of_reply=cut, takes=takes)


def _statuses(success: Reply, every: int) -> Iterator[Fault]:
    for status in (200, 201, 202, 204, 206, 299):
        yield Fault("any 2xx", Reply(status, success.body, success.headers), takes=True)
    there = {"Location": "https://elsewhere.example/"}
    yield from (Fault(_REDIRECTS, Reply(status, headers=there)) for status in _ELSEWHERE)
    yield from (Fault(str(status), Reply(status)) for status in _OWN_ROW)
    for status in range(300, 500, every):
        if status not in (*_ELSEWHERE, *_OWN_ROW):
            yield Fault(f"any other {status // 100}xx", Reply(status, headers=there))
    yield Fault("429 with Retry-After", Reply(429, headers={"Retry-After": "7"}))
    yield Fault("503 with Retry-After", Reply(503, headers={"Retry-After": "7"}))
    for status in range(500, 600, every):
        yield from (Fault("any other 5xx", Reply(status), takes=takes) for takes in (False, True))
