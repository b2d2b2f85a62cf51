"""Settings: what the environment may say, and what is answered when it is wrong."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from pydantic import ValidationError

from settings import EmailProvider, LogFormat, SettingsError, SmtpTls, load, variable
from tests.lint.checkout import ROOT

KEY = "k" * 32


def test_only_the_secret_key_must_be_set() -> None:
    settings = load(secret_key=KEY)
    assert settings.database_url == "sqlite+aiosqlite:///.parcours/parcours.db"
    assert settings.temporal_address == "127.0.0.1:7233"
    assert settings.email_provider is EmailProvider.MAILBOX
    assert settings.log_format is LogFormat.CONSOLE


def test_a_missing_secret_key_is_answered_with_how_to_make_one() -> None:
    with pytest.raises(SettingsError) as caught:
        load()
    assert "PARCOURS_SECRET_KEY: is not set" in str(caught.value)
    assert "openssl rand -hex 32" in str(caught.value)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCOURS_SECRET_KEY", "")
    monkeypatch.setenv("PARCOURS_SMTP_HOST", "")
    with pytest.raises(SettingsError, match="PARCOURS_SECRET_KEY: is not set"):
        load()
    assert load(secret_key=KEY).smtp_host is None


def test_a_short_secret_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 32"):
        load(secret_key="k" * 31)


def test_every_mistake_is_named_at_once_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCOURS_DATABASE_URL", "mysql://root:hunter2@db/parcours")
    monkeypatch.setenv("PARCOURS_API_PORT", "http")
    monkeypatch.setenv("PARCOURS_RPC_TIMEOUT", "soon")
    monkeypatch.setenv("PARCOURS_GRACEFUL_SHUTDOWN", "0")
    monkeypatch.setenv("PARCOURS_PUBLIC_URL", "parcours.example.com")
    monkeypatch.setenv("PARCOURS_EMAIL_PROVIDER", "pigeon")
    with pytest.raises(SettingsError) as caught:
        load()
    text = str(caught.value)
    for name in (
        "DATABASE_URL",
        "API_PORT",
        "RPC_TIMEOUT",
        "GRACEFUL_SHUTDOWN",
        "PUBLIC_URL",
        "EMAIL_PROVIDER",
        "SECRET_KEY",
    ):
        assert f"PARCOURS_{name}: " in text
    assert "`soon` is not a number of seconds: write `30`" in text
    assert "'mailbox', 'smtp', 'resend', 'postmark', 'sendgrid' or 'ses'" in text


def test_mistakes_and_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCOURS_DATABASE_URL", "mysql://root:hunter2@db/parcours")
    monkeypatch.setenv("PARCOURS_SECRET_KEY", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    shown = repr(
        load(
            database_url="postgresql+asyncpg://parcours:hunter2@db/parcours",
            secret_key="hunter2" * 5,
            smtp_username="parcours",
            smtp_password="hunter2",
            resend_api_key="hunter2",
            postmark_server_token="hunter2",
            sendgrid_api_key="hunter2",
            ses_secret_access_key="hunter2",
        )
    )
    assert "hunter2" not in shown


def test_smtp_without_a_host_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARCOURS_SMTP_HOST is not set, and PARCOURS_EMAIL"):
        load(secret_key=KEY, email_provider="smtp")


def test_resend_without_a_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARCOURS_RESEND_API_KEY is not set"):
        load(secret_key=KEY, email_provider="resend")


@pytest.mark.parametrize(
    ("provider", "needs"),
    [("postmark", "PARCOURS_POSTMARK_SERVER_TOKEN"), ("sendgrid", "PARCOURS_SENDGRID_API_KEY")],
)
def test_a_provider_without_its_credentials_is_refused(provider: str, needs: str) -> None:
    with pytest.raises(SettingsError, match=f"{needs} is not set, and PARCOURS_EMAIL_PROVIDER="):
        load(secret_key=KEY, email_provider=provider)


def test_everything_that_ses_needs_and_has_not_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(secret_key=KEY, email_provider="ses", ses_access_key_id="AKIDEXAMPLE")
    assert str(caught.value).endswith(
        "PARCOURS_SES_SECRET_ACCESS_KEY and PARCOURS_SES_REGION are not set, "
        "and PARCOURS_EMAIL_PROVIDER=ses needs them"
    )


def test_a_region_that_would_lead_elsewhere_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARCOURS_SES_REGION"):
        load(secret_key=KEY, ses_region="eu.evil.example/")


def test_an_smtp_user_without_a_password_is_refused() -> None:
    with pytest.raises(SettingsError, match="set both PARCOURS_SMTP_USERNAME and"):
        load(secret_key=KEY, smtp_username="parcours")


def test_the_environment_is_read_and_options_win_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCOURS_SECRET_KEY", KEY)
    monkeypatch.setenv("PARCOURS_RPC_TIMEOUT", "2.5")
    monkeypatch.setenv("PARCOURS_SMTP_TLS", "implicit")
    monkeypatch.setenv("PARCOURS_API_PORT", "9000")
    settings = load(api_port=9001)
    assert settings.rpc_timeout == timedelta(seconds=2.5)
    assert settings.smtp_tls is SmtpTls.IMPLICIT
    assert settings.api_port == 9001


def test_a_public_url_loses_its_last_slash() -> None:
    assert load(secret_key=KEY, public_url="https://x.test/p/").public_url == "https://x.test/p"


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARCOURS_SMPT_HOST"):
        load(secret_key=KEY, smpt_host="mail")


def test_settings_are_frozen() -> None:
    settings = load(secret_key=KEY)
    with pytest.raises(ValidationError):
        settings.api_port = 1


def test_importing_settings_cannot_fail_in_a_wrong_environment() -> None:
    subprocess.run(
        [sys.executable, "-c", "import settings"],
        cwd=ROOT,
        env={**os.environ, "PARCOURS_API_PORT": "no port", "PARCOURS_DATABASE_URL": "?"},
        check=True,
    )


def test_a_variable_is_the_prefix_and_the_field_in_capitals() -> None:
    assert variable("smtp_host") == "PARCOURS_SMTP_HOST"


TWILIO = {"twilio_account_sid": "AC1", "twilio_auth_token": "t", "twilio_sender": "+15550001111"}
WEBHOOK_SECRET = "whsec_" + "A" * 44


@pytest.mark.parametrize("missing", TWILIO)
def test_twilio_needs_an_account_a_token_and_a_sender(missing: str) -> None:
    given = {name: value for name, value in TWILIO.items() if name != missing}
    named = f"PARCOURS_{missing.upper()} is not set, and PARCOURS_SMS_PROVIDER=twilio needs it"
    with pytest.raises(SettingsError, match=named):
        load(secret_key=KEY, sms_provider="twilio", **given)
    assert load(secret_key=KEY, sms_provider="twilio", **TWILIO).sms_provider == "twilio"


def test_lob_without_a_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARCOURS_LOB_API_KEY is not set, and PARCOURS_POST"):
        load(secret_key=KEY, post_provider="lob")


def test_webhook_secrets_are_json_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCOURS_WEBHOOK_SECRETS", f'{{"crm": "{WEBHOOK_SECRET}"}}')
    settings = load(secret_key=KEY)
    assert settings.webhook_secrets is not None
    assert settings.webhook_secrets["crm"].get_secret_value() == WEBHOOK_SECRET
    assert WEBHOOK_SECRET not in repr(settings)


@pytest.mark.parametrize("secret", ["hunter2", "whsec_hunter2", "A" * 44, "whsec_" + "A" * 28])
def test_a_webhook_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(SettingsError, match="PARCOURS_WEBHOOK_SECRETS: ") as caught:
        load(secret_key=KEY, webhook_secrets={"crm": secret})
    assert secret not in str(caught.value).replace("whsec_$(", "")
    assert "whsec_" in str(caught.value)


def test_a_channel_has_a_rate_only_if_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(secret_key=KEY).rates == {}
    monkeypatch.setenv("PARCOURS_EMAIL_RATE", "20")
    monkeypatch.setenv("PARCOURS_POST_RATE", "0.5")
    monkeypatch.setenv("PARCOURS_SMS_RATE", "0")
    assert load(secret_key=KEY).rates == {"email": 20.0, "post": 0.5}


@pytest.mark.parametrize("rate", ["-1", "inf", "nan", "many", "0.00001"])
def test_a_rate_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
    monkeypatch.setenv("PARCOURS_EMAIL_RATE", rate)
    with pytest.raises(SettingsError, match="PARCOURS_EMAIL_RATE: "):
        load(secret_key=KEY)


def test_production_is_the_default_and_knows_neither_list_nor_label() -> None:
    assert load(secret_key=KEY).environment == "production"
    for field in ("allowed_recipients", "redirect_all_to", "subject_label"):
        with pytest.raises(SettingsError, match=rf"{variable(field)} is set, and PARCOURS_ENV"):
            load(secret_key=KEY, **{field: "team@example.com"})


def test_elsewhere_a_provider_that_reaches_people_needs_to_know_whom() -> None:
    smtp = {"secret_key": KEY, "email_provider": "smtp", "smtp_host": "mail"}
    with pytest.raises(SettingsError, match="would write to real customers"):
        load(**smtp, environment="staging")
    assert load(**smtp, environment="staging", redirect_all_to="team@example.com")
    assert load(**smtp, environment="staging", allowed_recipients="*@example.com")
    assert load(secret_key=KEY, environment="staging")  # the mailbox reaches nobody


@pytest.mark.parametrize("value", ["team", "*@", "@example.com", "0612345678", "a b@example.com"])
def test_a_recipient_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"PARCOURS_ALLOWED_RECIPIENTS: .* is none of these"):
        load(secret_key=KEY, environment="staging", allowed_recipients=f"ann@example.com,{value}")


@pytest.mark.parametrize(
    "value", ["team", "*@example.com", "a@example.com,b@example.com", "+33612345678,+33612345679"]
)
def test_a_redirection_is_one_address_or_that_and_one_number(value: str) -> None:
    with pytest.raises(SettingsError, match=r"PARCOURS_REDIRECT_ALL_TO: .* is not one e-mail"):
        load(secret_key=KEY, environment="staging", redirect_all_to=value)
    assert load(secret_key=KEY, environment="x", redirect_all_to="t@example.com,+33612345678")
