"""Email validation (R6.1) by RFC 5322 and RFC 6531, without DNS look-ups.

Quoted local parts, domain literals, single-label and special-use domains, underscores in the domain and non-ASCII are
valid. Emails are compared after `trim_email`.
"""

import re

import email_validator
from email_validator import EmailNotValidError, validate_email

from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason, clean_text
from intercom_sync.domain.text_folding import trim

# The library rejects localhost, .test, .local and the like, which RFC 5322 allows; its manual says to edit this list.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

MAX_OCTETS = 254
MAX_LOCAL_OCTETS = 64

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# A fast path for what the library accepts. Labels with two hyphens (Punycode and look-alikes) go to the library.
_is_plain_address = re.compile(
    rf"(?=[^@]{{1,{MAX_LOCAL_OCTETS}}}@(?!.*--)){_ATOM}(?:\.{_ATOM})*+@{_LABEL}(?:\.{_LABEL})*"
).fullmatch


def clean_email(value: object) -> str | None:
    """Return the email as spelled, trimmed; None when it is null or blank.

    Raises:
        InvalidRecordError: when the RFCs do not allow the address.
    """
    if value is None:
        return None
    if type(value) is not str:
        raise InvalidRecordError(RejectionReason.EMAIL, "email", value)
    if len(value) <= MAX_OCTETS and _is_plain_address(value):  # such an address has nothing to trim
        return value
    email = trim_email(value)
    if not email:
        return None
    if len(email) <= MAX_OCTETS and (_is_plain_address(email) or _is_valid(email)):
        return email
    raise InvalidRecordError(RejectionReason.EMAIL, "email", value)


def trim_email(text: str) -> str:
    """Strip white space and invisible characters from both ends of an email, valid or not."""
    return trim(clean_text(text))


def _is_valid(email: str) -> bool:
    """Validate by the library; the length limits apply to the octets as stored, quotes included."""
    local, at, domain = email.rpartition("@")
    if len(local.encode()) > MAX_LOCAL_OCTETS or len(email.encode()) > MAX_OCTETS:
        return False
    if not domain.startswith("["):
        domain = domain.replace("_", "x")  # the library allows host names only, without underscores
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
