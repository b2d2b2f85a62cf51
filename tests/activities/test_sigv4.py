"""Amazon's signature against its own published test suite (aws-sig-v4-test-suite)."""

from datetime import UTC, datetime

import pytest

from activities.providers.sigv4 import Signer

SIGNER = Signer(
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", service="service"
)
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = {"Host": "example.amazonaws.com"}

VECTORS = {
    "get-vanilla": (
        "GET", {}, b"", "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "post-vanilla": (
        "POST", {}, b"", "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-x-www-form-urlencoded": (
        "POST", {"Content-Type": "application/x-www-form-urlencoded"}, b"Param1=value1",
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "get-header-value-trim": (
        "GET", {"My-Header1": " value1", "My-Header2": ' "a   b   c"'}, b"",
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-header-key-sort": (
        "POST", {"My-Header1": "value1"}, b"", "host;my-header1;x-amz-date",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_a_published_request_gets_its_published_signature(name: str) -> None:
    method, headers, body, names, signature = VECTORS[name]
    assert SIGNER.sign(method, "/", {**HOST, **headers}, body, AT) == {
        **HOST,
        **headers,
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders={names}, Signature={signature}"
        ),
    }


def test_a_path_of_only_safe_letters_gets_its_published_signature() -> None:
    path = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    signed = SIGNER.sign("GET", path, HOST, b"", AT)["Authorization"]
    assert signed.endswith("07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f")


def test_any_change_changes_the_signature() -> None:
    given = ("POST", "/a", HOST, b"x", AT)
    others = [
        ("PUT", "/a", HOST, b"x", AT),
        ("POST", "/b", HOST, b"x", AT),
        ("POST", "/a", {"Host": "other.example"}, b"x", AT),
        ("POST", "/a", HOST, b"y", AT),
        ("POST", "/a", HOST, b"x", AT.replace(second=1)),
    ]
    signatures = {SIGNER.sign(*each)["Authorization"][-64:] for each in (given, *others)}
    assert len(signatures) == 6


def test_a_signer_shows_no_secret() -> None:
    assert "wJalr" not in repr(SIGNER)
