"""What the environment may say: every setting of Parcours, its default and why.

Entry points (`cli`, `worker`, `api`) build one `Settings` with `load` and hand it, or its
values, down; nobody else reads the environment, and a linter checks that. Importing this
module reads nothing and cannot fail. The one surprising fact: an empty variable counts as
unset, so `PARCOURS_SECRET_KEY=` in an `.env` file is a missing key and not a key of length
zero.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from engine.recipients import check_recipients, check_redirect

PREFIX = "PARCOURS_"

# HMAC-SHA256 signs the links in messages; a key shorter than its 32-byte output weakens it
# (RFC 2104, section 3). `openssl rand -hex 32` gives twice that many characters.
SECRET_KEY_MIN_LENGTH = 32

# One message in nearly three hours: whoever writes less has mistaken the unit.
SLOWEST_RATE = 0.0001

PRODUCTION = "production"

# Both are the drivers the store is written and tested with; the plain schemes would pick a
# blocking driver and fail later, at the first query.
_DATABASE_SCHEMES = ("sqlite+aiosqlite", "postgresql+asyncpg")


class EmailProvider(StrEnum):
    """Who carries e-mail. `mailbox` keeps it in the store and shows it in the browser."""

    MAILBOX = "mailbox"
    SMTP = "smtp"
    RESEND = "resend"
    POSTMARK = "postmark"
    SENDGRID = "sendgrid"
    SES = "ses"


class SmsProvider(StrEnum):
    """Who carries text messages; `none`: nobody, and steps that need one wait."""

    NONE = "none"
    MAILBOX = "mailbox"
    TWILIO = "twilio"


class PostProvider(StrEnum):
    """Who prints letters and postcards; `none`: nobody, and steps that need one wait."""

    NONE = "none"
    MAILBOX = "mailbox"
    LOB = "lob"


class WebhookProvider(StrEnum):
    """Who makes the calls of `call:` steps: we, by HTTP, or the mailbox, which only keeps them."""

    HTTP = "http"
    MAILBOX = "mailbox"


class SmtpTls(StrEnum):
    """How the SMTP connection is encrypted (RFC 8314 prefers `implicit`)."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class LogFormat(StrEnum):
    """`console` is for a person at a terminal, `json` for a log collector."""

    CONSOLE = "console"
    JSON = "json"


class SettingsError(Exception):
    """The environment does not make a working configuration. Its text is for the operator."""


def _read_seconds(value: object) -> object:
    if isinstance(value, str):
        try:
            return timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            raise ValueError(f"`{value}` is not a number of seconds: write `30`") from None
    return value


def _split(value: object) -> object:
    """A list as the environment writes it: with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _check_positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be more than 0 seconds")
    return value


def _check_rate(value: float) -> float:
    if 0 < value < SLOWEST_RATE:
        raise ValueError(
            f"`{value}` is slower than one message in {1 / SLOWEST_RATE:.0f} seconds: to send "
            "nothing at all, stop the channel"
        )
    return value


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(
            f"`{value}` is not a web address: write one like `https://parcours.example.com`"
        )
    if parts.query or parts.fragment:
        raise ValueError(f"`{value}` must end with its path: links are made by adding to it")
    return value.rstrip("/")


def _check_database_url(value: str) -> str:
    # The value is not repeated in the message: it holds the password.
    if value.partition("://")[0] not in _DATABASE_SCHEMES:
        raise ValueError(
            "must begin with `sqlite+aiosqlite:///` or `postgresql+asyncpg://`, "
            "the two stores Parcours runs on"
        )
    return value


def _check_webhook_secret(value: SecretStr) -> SecretStr:
    """As Standard Webhooks writes it. The value is not repeated: it is a secret."""
    text = value.get_secret_value()
    try:
        key = b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError(
            "each must be `whsec_` and 24 to 64 bytes in base64: "
            'make one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return value


Seconds = Annotated[timedelta, BeforeValidator(_read_seconds), AfterValidator(_check_positive)]
WebUrl = Annotated[str, AfterValidator(_check_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_check_webhook_secret)]
Port = Annotated[int, Field(ge=1, le=65535)]
SecretKey = Annotated[SecretStr, Field(min_length=SECRET_KEY_MIN_LENGTH)]
EventsPerSecond = Annotated[int, Field(ge=0)]
MessagesPerSecond = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_check_rate)]


# What providers can't do without, by who carries it.
_NEEDED: Mapping[str, Mapping[StrEnum, tuple[str, ...]]] = {
    "email_provider": {
        EmailProvider.SMTP: ("smtp_host",),
        EmailProvider.RESEND: ("resend_api_key",),
        EmailProvider.POSTMARK: ("postmark_server_token",),
        EmailProvider.SENDGRID: ("sendgrid_api_key",),
        EmailProvider.SES: ("ses_access_key_id", "ses_secret_access_key", "ses_region"),
    },
    "sms_provider": {
        SmsProvider.TWILIO: ("twilio_account_sid", "twilio_auth_token", "twilio_sender"),
    },
    "post_provider": {PostProvider.LOB: ("lob_api_key",)},
}


class Settings(BaseSettings):
    """One process's configuration, read once at its start and frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    # `repr=False`: the URL carries the password, and settings end up in logs and tracebacks.
    database_url: Annotated[str, AfterValidator(_check_database_url), Field(repr=False)] = (
        "sqlite+aiosqlite:///.parcours/parcours.db"
    )

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    # One for workflows and activities alike: rates are the store's to hold, not the queue's.
    task_queue: str = "parcours"
    # How long one call to Temporal may take. A healthy start answers in milliseconds; without
    # a limit, a start against a frozen server was seen to hang for 30 s.
    rpc_timeout: Seconds = timedelta(seconds=10)
    # How long a stopping worker lets running sends finish. 0 would cancel them at every
    # deploy; it must be at least the time one attempt of `deliver` may take.
    graceful_shutdown: Seconds = timedelta(seconds=30)

    journeys_dir: Path = Path("journeys")
    # The browser that `parcours preview` takes its pictures by; without it, one on the PATH.
    chromium: Path | None = None

    # What links in messages begin with, and where pages send their events: the address by
    # which readers reach the API.
    public_url: WebUrl = "http://127.0.0.1:8080"
    # Loopback by default: opening a port to the network is a decision, not a default.
    api_host: str = "127.0.0.1"
    api_port: Port = 8080
    # How many events one key may put into one API process a second, for keys without a rate
    # of their own; 0 is no limit. 1,000 is 86 million a day, which no honest app on a small
    # machine meets, and about what such a machine writes: one app gone mad leaves room.
    rate_limit: EventsPerSecond = 1_000

    # Signs the links in messages. No default: a known key lets anyone unsubscribe anyone.
    # The same on every process. To change it, move the old one to the previous keys: it signs
    # no more, but the links in mail already sent are still believed.
    secret_key: SecretKey
    previous_secret_keys: Annotated[tuple[SecretKey, ...], NoDecode, BeforeValidator(_split)] = ()

    email_provider: EmailProvider = EmailProvider.MAILBOX
    smtp_host: str | None = None
    # 587 is the submission port of RFC 6409, which speaks STARTTLS.
    smtp_port: Port = 587
    smtp_tls: SmtpTls = SmtpTls.STARTTLS
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    resend_api_key: SecretStr | None = None
    # Only tests and proxies point it elsewhere.
    resend_base_url: WebUrl = "https://api.resend.com"
    postmark_server_token: SecretStr | None = None
    # Every Postmark server is made with this stream, and marketing may go by no other kind.
    postmark_message_stream: str = "broadcast"
    postmark_base_url: WebUrl = "https://api.postmarkapp.com"
    sendgrid_api_key: SecretStr | None = None
    # Accounts kept in the EU have https://api.eu.sendgrid.com.
    sendgrid_base_url: WebUrl = "https://api.sendgrid.com"
    ses_access_key_id: str | None = None
    ses_secret_access_key: SecretStr | None = None
    ses_region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    # Where SES reports what becomes of the mails; without one it reports nothing.
    ses_configuration_set: str | None = None
    # Follows from the region.
    ses_base_url: WebUrl | None = None

    sms_provider: SmsProvider = SmsProvider.MAILBOX
    twilio_account_sid: str | None = None
    # Also signs what Twilio reports.
    twilio_auth_token: SecretStr | None = None
    # A number, or a messaging service (`MG…`), for messages whose policy names no sender.
    twilio_sender: str | None = None
    # Only tests and proxies point it elsewhere.
    twilio_base_url: WebUrl = "https://api.twilio.com"

    post_provider: PostProvider = PostProvider.MAILBOX
    lob_api_key: SecretStr | None = None
    # Only tests and proxies point it elsewhere.
    lob_base_url: WebUrl = "https://api.lob.com"

    webhook_provider: WebhookProvider = WebhookProvider.HTTP
    # By the webhook's name in `policy.yaml`, as JSON: `{"crm": "whsec_…"}`.
    webhook_secrets: dict[str, WebhookSecret] | None = None
    # Whoever may publish a policy chooses what is called from inside our network.
    webhook_allow_private: bool = False

    # What providers' reports are known by; without it, nobody may report for that provider.
    # `user:password`, as they stand in the address that Postmark is given.
    postmark_callback_credentials: SecretStr | None = None
    # Of SendGrid's signed Event Webhook: public, and shown in its settings.
    sendgrid_callback_key: str | None = None
    # ARNs of the SNS topics by which SES reports.
    ses_callback_topics: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    resend_callback_secret: SecretStr | None = None
    lob_callback_secret: SecretStr | None = None
    # Production by default: a deployment that forgets to say where it is works as it always
    # has, and one that says it is elsewhere must say to whom its messages may go.
    environment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=32)] = PRODUCTION
    allowed_recipients: Annotated[str, AfterValidator(check_recipients)] | None = None
    redirect_all_to: Annotated[str, AfterValidator(check_redirect)] | None = None
    subject_label: Annotated[str, Field(max_length=40, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = (
        None
    )

    # Messages a second of each channel, over all workers; 0 is no limit. No other default can
    # be right: what a provider takes depends on the contract, and on how warm the domain is.
    # The same on every worker.
    email_rate: MessagesPerSecond = 0
    sms_rate: MessagesPerSecond = 0
    post_rate: MessagesPerSecond = 0
    webhook_rate: MessagesPerSecond = 0

    log_format: LogFormat = LogFormat.CONSOLE

    @property
    def rates(self) -> dict[str, float]:
        """Messages a second, of those channels that carry only so many."""
        rates = {
            "email": self.email_rate,
            "sms": self.sms_rate,
            "post": self.post_rate,
            "webhook": self.webhook_rate,
        }
        return {channel: rate for channel, rate in rates.items() if rate > 0}

    @model_validator(mode="after")
    def _check_environment(self) -> Self:
        """Customers must neither miss their messages in production nor get them from elsewhere."""
        if self.environment == PRODUCTION:
            for field in ("allowed_recipients", "redirect_all_to", "subject_label"):
                if getattr(self, field) is not None:
                    raise ValueError(
                        f"{variable(field)} is set, and {variable('environment')} is "
                        f"`{PRODUCTION}`, where everybody gets their own messages as they are: "
                        f"unset it, or say where this is, as in {variable('environment')}=staging"
                    )
        elif (
            self.email_provider is not EmailProvider.MAILBOX
            and self.allowed_recipients is None
            and self.redirect_all_to is None
        ):
            raise ValueError(
                f"{variable('environment')}={self.environment} with "
                f"{variable('email_provider')}={self.email_provider} would write to real "
                f"customers: set {variable('allowed_recipients')} or {variable('redirect_all_to')}"
            )
        return self

    @model_validator(mode="after")
    def _check_email_provider(self) -> Self:
        """A provider without its credentials would fail at the first customer's message."""
        for chooses, needs in _NEEDED.items():
            chosen = getattr(self, chooses)
            missing = [field for field in needs.get(chosen, ()) if getattr(self, field) is None]
            if missing:
                raise ValueError(_needed_by(missing, chosen, chooses))
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError(
                f"set both {variable('smtp_username')} and {variable('smtp_password')}, or neither"
            )
        return self

    @property
    def link_keys(self) -> list[str]:
        """The key that signs links, then those that did before and are still believed."""
        keys = (self.secret_key, *self.previous_secret_keys)
        return [key.get_secret_value() for key in keys]


def variable(field: str) -> str:
    """The environment variable that sets a field: `smtp_host` → `PARCOURS_SMTP_HOST`."""
    return PREFIX + field.upper()


def load(**overrides: Any) -> Settings:
    """Read the environment; `overrides` win over it (they are a command's own options).

    Raises `SettingsError`, whose text names every variable at fault and what to write.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """The mistakes as lines an operator can act on. Repeats no secret."""
    return "\n".join(["The settings are not complete:", *map(_explain_one, error.errors())])


def _explain_one(mistake: Any) -> str:
    text = mistake["msg"].removeprefix("Value error, ")
    if not mistake["loc"]:
        return f"  - {text}"
    field = str(mistake["loc"][0])
    if field == "secret_key":
        text = (
            f"{'is not set' if mistake['type'] == 'missing' else text[0].lower() + text[1:]}; "
            "make one with `openssl rand -hex 32` and keep it: it signs the links in messages"
        )
    return f"  - {variable(field)}: {text}"


def _needed_by(fields: Sequence[str], provider: StrEnum, chooses: str) -> str:
    names = " and ".join(map(variable, fields))
    is_not_set, it = ("is not set", "it") if len(fields) == 1 else ("are not set", "them")
    return f"{names} {is_not_set}, and {variable(chooses)}={provider.value} needs {it}"
