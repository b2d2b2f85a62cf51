"""Phone numbers as they are dialled from everywhere, by libphonenumber (`phonenumbers`).

Decides nothing about who is called. The surprising fact: the library is imported at the first
number, since most installations have none, and it takes 30 ms.
"""


def e164(number: str, country: str | None) -> str | None:
    """`+33612345678` for `06 12 34 56 78` in France; None if no such number can exist.

    `country` (ISO 3166 alpha-2) is for a number that does not say its own.
    """
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        format_number,
        is_valid_number,
        parse,
    )

    try:
        parsed = parse(number, country)
    except NumberParseException:
        return None
    return format_number(parsed, PhoneNumberFormat.E164) if is_valid_number(parsed) else None
