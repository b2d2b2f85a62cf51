"""From settings to what `deliver` works with: the store, the providers, the links."""

from collections.abc import Callable
from datetime import datetime

from activities.desk import Desk
from activities.providers.mailbox import MailboxProvider
from activities.providers.outcome import Mail, Provider
from activities.providers.resend import ResendProvider
from activities.providers.smtp import SmtpProvider, SmtpServer
from activities.staging import Staging
from rendering.links import Links, Unsubscribe
from settings import PRODUCTION, EmailProvider, Settings, SmtpTls, split_list
from store.database import Database


def build_desk(settings: Settings, database: Database, journey_now: Callable[[], datetime]) -> Desk:
    """The desk of one worker. `journey_now` dates what the mailbox captures."""
    links = Links(settings.public_url, settings.link_keys)
    return Desk(
        database=database,
        providers={"email": email_provider(settings, database, journey_now)},
        unsubscribe_url=lambda customer, topic: links.url(Unsubscribe(customer, topic)),
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


def email_provider(
    settings: Settings, database: Database, journey_now: Callable[[], datetime]
) -> Provider[Mail]:
    """Who carries e-mail, as the settings say."""
    match settings.email_provider:
        case EmailProvider.MAILBOX:
            return MailboxProvider(database, journey_now)
        case EmailProvider.SMTP:
            assert settings.smtp_host is not None  # the settings saw to it
            password = settings.smtp_password
            return SmtpProvider(
                SmtpServer(
                    host=settings.smtp_host,
                    port=settings.smtp_port,
                    username=settings.smtp_username,
                    password=password.get_secret_value() if password is not None else None,
                    tls=settings.smtp_tls is SmtpTls.IMPLICIT,
                    starttls=settings.smtp_tls is SmtpTls.STARTTLS,
                )
            )
        case EmailProvider.RESEND:
            assert settings.resend_api_key is not None  # the settings saw to it
            return ResendProvider(
                settings.resend_api_key.get_secret_value(), settings.resend_base_url
            )
