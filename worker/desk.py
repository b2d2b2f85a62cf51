"""From settings to what `deliver` works with: the store, the providers, the links."""

from collections.abc import Callable
from datetime import UTC, datetime

from activities.desk import Desk
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import Mail, Provider
from activities.providers.postmark import PostmarkProvider
from activities.providers.resend import ResendProvider
from activities.providers.sendgrid import SendGridProvider
from activities.providers.ses import SesAccount, SesProvider
from activities.providers.smtp import SmtpProvider, SmtpServer
from rendering.links import Links, Unsubscribe
from settings import EmailProvider, Settings, SmtpTls
from store.database import Database


def build_desk(settings: Settings, database: Database, journey_now: Callable[[], datetime]) -> Desk:
    """The desk of one worker. `journey_now` dates what the mailbox captures."""
    links = Links(settings.public_url, settings.link_keys)
    return Desk(
        database=database,
        providers={"email": email_provider(settings, database, journey_now)},
        unsubscribe_url=lambda customer, topic: links.url(Unsubscribe(customer, topic)),
    )


def email_provider(
    settings: Settings, database: Database, journey_now: Callable[[], datetime]
) -> Provider[Mail]:
    """Who carries e-mail, as the settings say."""
    match settings.email_provider:
        case EmailProvider.MAILBOX:
            return MailboxProvider(database, journey_now)
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
