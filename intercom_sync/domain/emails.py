"""Which emails are valid: RFC 5322 with RFC 6531, without any look-up.

Quoted local parts, domain literals, single-label and special-use domains, underscores in the domain and non-ASCII are
valid. Matching customers by email belongs to `customers`; wherever emails are compared, `trim_email` comes first.
"""

import re

import email_validator
from email_validator import EmailNotValidError, validate_email

from intercom_sync.domain.parsing import InvalidRecordError, clean_text
from intercom_sync.domain.text_folding import trim

# The library refuses localhost, .test, .local and the like, which RFC 5322 does not; its manual says to edit this list.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

MAX_OCTETS = 254
MAX_LOCAL_OCTETS = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# What the library surely accepts. Labels with two hyphens (Punycode and its look-alikes) are left to the library.
_ORDINARY = re.compile(
    rf"(?=[^@]{{1,{MAX_LOCAL_OCTETS}}}@(?!.*--)){_ATOM}(?:\.{_ATOM})*+@{_LABEL}(?:\.{_LABEL})*"
).fullmatch


def clean_email(value: object) -> str | None:
    """Return the email as spelled, trimmed, or None where there is none: null or blank (directive, email validation).

    Raises:
        RejectionError: where the value is not an address that the RFCs allow.
    """
    if value is None:
        return None
    if type(value) is not str:
        raise InvalidRecordError("email is not a valid address", "email", value)
    if len(value) <= MAX_OCTETS and _ORDINARY(value):  # nothing in it to trim
        return value
    email = trim_email(value)
    if not email:
        return None
    if len(email) <= MAX_OCTETS and (_ORDINARY(email) or _allowed(email)):
        return email
    raise InvalidRecordError("email is not a valid address", "email", value)


def trim_email(text: str) -> str:
    """Return an email, valid or not, without white space and invisible characters around it."""
    return trim(clean_text(text))


def email_prefix(email: str) -> str:
    """Return the part of the lower-cased email before the last @: the name of a customer whom nobody named."""
    return email.lower().rpartition("@")[0]


def _allowed(email: str) -> bool:
    """Ask the library; the lengths count the octets of the spelling that is kept, quotes included."""
    local, at, domain = email.rpartition("@")
    if len(local.encode()) > MAX_LOCAL_OCTETS or len(email.encode()) > MAX_OCTETS:
        return False
    if not domain.startswith("["):
        domain = domain.replace("_", "x")  # the library knows host names only, which have no underscores
    try:
        validate_email(
            f"{local}{at}{domain}",
            allow_smtputf8=True,
            allow_quoted_local=True,
            allow_domain_literal=True,
            allow_display_name=False,
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,
        )
    except EmailNotValidError:
        return False
    return True
