"""From settings to what `deliver` works with: the store, the providers, the links."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from activities.desk import Desk
from activities.providers.lob import LobProvider
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import AnyProvider, HookCall, Letter, Mail, Provider, Sms
from activities.providers.postmark import PostmarkProvider
from activities.providers.resend import ResendProvider
from activities.providers.sendgrid import SendGridProvider
from activities.providers.ses import SesAccount, SesProvider
from activities.providers.smtp import SmtpProvider, SmtpServer
from activities.providers.twilio import TwilioProvider
from activities.providers.webhook import WebhookProvider
from activities.staging import Staging
from engine.recipients import split_list
from rendering.links import Links
from settings import (
    PRODUCTION,
    EmailProvider,
    PostProvider,
    Settings,
    SmsProvider,
    SmtpTls,
)
from settings import WebhookProvider as Calls
from store.database import Database

# Where Twilio tells what became of a text message.
_TWILIO_STATUS = "/callbacks/twilio/status"


def build_desk(settings: Settings, database: Database, journey_now: Callable[[], datetime]) -> Desk:
    """The desk of one worker. `journey_now` dates what the mailbox captures."""
    return Desk(
        database=database,
        providers=providers(settings, MailboxProvider(database, journey_now)),
        links=Links(settings.public_url, settings.link_keys),
        shop=_webhooks(settings),
        rates=settings.rates,
        staging=staging_of(settings),
    )


def staging_of(settings: Settings) -> Staging:
    """To whom messages go, as the settings say."""
    if settings.environment == PRODUCTION:
        return Staging()
    instead = split_list(settings.redirect_all_to)
    return Staging(
        allowed=split_list(settings.allowed_recipients),
        redirect_email=next((each for each in instead if "@" in each), None),
        redirect_phone=next((each for each in instead if "@" not in each), None),
        label=settings.subject_label or f"[{settings.environment}]",
    )


def providers(settings: Settings, mailbox: MailboxProvider) -> Mapping[str, AnyProvider]:
    """Who carries which channel; what nobody carries is missing."""
    carried: dict[str, AnyProvider | None] = {
        "email": email_provider(settings, mailbox),
        "sms": sms_provider(settings, mailbox),
        "post": post_provider(settings, mailbox),
        "webhook": webhook_provider(settings, mailbox),
    }
    return {channel: provider for channel, provider in carried.items() if provider is not None}


def email_provider(settings: Settings, mailbox: MailboxProvider) -> Provider[Mail]:
    """Who carries e-mail, as the settings say."""
    match settings.email_provider:
        case EmailProvider.MAILBOX:
            return mailbox
        case EmailProvider.SMTP:
            return SmtpProvider(_smtp_server(settings))
        case EmailProvider.RESEND:
            assert settings.resend_api_key is not None  # the settings saw to it
            return ResendProvider(
                settings.resend_api_key.get_secret_value(), settings.resend_base_url
            )
        case EmailProvider.POSTMARK:
            assert settings.postmark_server_token is not None  # the settings saw to it
            return PostmarkProvider(
                settings.postmark_server_token.get_secret_value(),
                settings.postmark_message_stream,
                settings.postmark_base_url,
            )
        case EmailProvider.SENDGRID:
            assert settings.sendgrid_api_key is not None  # the settings saw to it
            return SendGridProvider(
                settings.sendgrid_api_key.get_secret_value(), settings.sendgrid_base_url
            )
        case EmailProvider.SES:
            return SesProvider(_ses_account(settings), _real_now)


def sms_provider(settings: Settings, mailbox: MailboxProvider) -> Provider[Sms] | None:
    """Who carries text messages, as the settings say."""
    match settings.sms_provider:
        case SmsProvider.NONE:
            return None
        case SmsProvider.MAILBOX:
            return mailbox
        case SmsProvider.TWILIO:
            assert settings.twilio_account_sid is not None  # the settings saw to all three
            assert settings.twilio_auth_token is not None
            assert settings.twilio_sender is not None
            return TwilioProvider(
                settings.twilio_account_sid,
                settings.twilio_auth_token.get_secret_value(),
                settings.twilio_sender,
                settings.twilio_base_url,
                status_url=_status_url(settings.public_url),
            )


def post_provider(settings: Settings, mailbox: MailboxProvider) -> Provider[Letter] | None:
    """Who prints letters and postcards, as the settings say."""
    match settings.post_provider:
        case PostProvider.NONE:
            return None
        case PostProvider.MAILBOX:
            return mailbox
        case PostProvider.LOB:
            assert settings.lob_api_key is not None  # the settings saw to it
            return LobProvider(settings.lob_api_key.get_secret_value(), settings.lob_base_url)


def webhook_provider(settings: Settings, mailbox: MailboxProvider) -> Provider[HookCall]:
    """Who makes calls, as the settings say."""
    return mailbox if settings.webhook_provider is Calls.MAILBOX else _webhooks(settings)


def _webhooks(settings: Settings) -> WebhookProvider:
    """Who really calls; a shop's answer can't come from a mailbox."""
    secrets = {
        name: secret.get_secret_value() for name, secret in (settings.webhook_secrets or {}).items()
    }
    return WebhookProvider(
        secrets, lambda: datetime.now(UTC), allow_private=settings.webhook_allow_private
    )


def _status_url(public_url: str) -> str | None:
    """None where Twilio can't reach us: it refuses messages with such an address (21609)."""
    parts = urlsplit(public_url)
    if parts.scheme != "https" or parts.hostname in (None, "localhost"):
        return None
    return public_url + _TWILIO_STATUS


def _smtp_server(settings: Settings) -> SmtpServer:
    assert settings.smtp_host is not None  # the settings saw to it
    password = settings.smtp_password
    return SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=password.get_secret_value() if password is not None else None,
        tls=settings.smtp_tls is SmtpTls.IMPLICIT,
        starttls=settings.smtp_tls is SmtpTls.STARTTLS,
    )


def _ses_account(settings: Settings) -> SesAccount:
    assert settings.ses_access_key_id is not None  # the settings saw to these three
    assert settings.ses_secret_access_key is not None
    assert settings.ses_region is not None
    return SesAccount(
        access_key_id=settings.ses_access_key_id,
        secret_access_key=settings.ses_secret_access_key.get_secret_value(),
        region=settings.ses_region,
        configuration_set=settings.ses_configuration_set,
        base_url=settings.ses_base_url,
    )


def _real_now() -> datetime:
    """What a signature is dated with: never journey time, which a rehearsal lets run fast."""
    return datetime.now(UTC)
