import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from intercom_sync.domain import emails
from intercom_sync.domain.emails import clean_email, email_prefix
from intercom_sync.domain.rejection import RejectionError

LOCAL_64 = "l" * 64
LABEL_63 = "d" * 63


@pytest.mark.parametrize(
    "email",
    [
        "ann@example.com",
        "Ann.O'Neil+news@Mail.Example.COM",
        "!#$%&'*+/=?^_`{|}~-@example.org",
        '"ann smith"@example.com',
        '"a@b"@example.com',
        '"quo\\"te"@example.com',
        "ann@[192.0.2.1]",
        "ann@[IPv6:2001:db8::1]",
        "ann@localhost",
        "ann@intranet",
        "ann@shop.test",
        "ann@printer.local",
        "ann@nothing.invalid",
        "jürgen@example.de",
        "юлия@почта.рф",
        "ann@xn--mnchen-3ya.de",
        "ann@1.2.3",
        f"{LOCAL_64}@example.com",
        f"a@{LABEL_63}.com",
    ],
)
def test_an_address_that_the_rfcs_allow_is_kept_as_spelled(email):
    assert clean_email(f" \t{email}\n") == email


@pytest.mark.parametrize(
    "email",
    [
        "ann",
        "ann@",
        "@example.com",
        "ann@@example.com",
        "ann@example..com",
        ".ann@example.com",
        "ann.@example.com",
        "an n@example.com",
        "ann@exam ple.com",
        "ann@-example.com",
        "ann@example.com.",
        "Ann <ann@example.com>",
        "<ann@example.com>",
        "ann@[999.0.2.1]",
        "ann@example.com\nbcc: bob@example.com",
        "ann@example.com, bob@example.com",
        f"{LOCAL_64}l@example.com",
        f"a@{LABEL_63}d.com",
        "ü" * 33 + "@example.com",  # 33 characters, but 66 octets before the @
        "a@" + ".".join([LABEL_63] * 4),  # 2 + 4 × 63 + 3 = 257 octets
        "x" * 1_000_000,
    ],
)
def test_an_address_that_the_rfcs_refuse_is_rejected(email):
    with pytest.raises(RejectionError) as refused:
        clean_email(email)
    assert (refused.value.reason, refused.value.field) == ("email is not a valid address", "email")
    assert refused.value.value == email


def test_254_octets_are_the_most_an_address_may_have():
    domain = ".".join([LABEL_63, LABEL_63, LABEL_63])  # 3 × 63 + 2 = 191
    longest = "l" * 62 + "@" + domain  # 62 + 1 + 191 = 254
    assert clean_email(longest) == longest
    with pytest.raises(RejectionError):
        clean_email("l" + longest)


@pytest.mark.parametrize("nothing", [None, "", "  ", "\t\n", "\u00a0", "\x00"])
def test_no_email_is_none(nothing):
    assert clean_email(nothing) is None


@pytest.mark.parametrize("value", [0, 1.5, True, [], {}, ["ann@example.com"]])
def test_what_is_no_text_is_no_email(value):
    with pytest.raises(RejectionError, match="email is not a valid address"):
        clean_email(value)


def test_nul_and_broken_surrogates_are_cleaned_away():
    assert clean_email("ann\x00@exam\ud800ple.com") == "ann@example.com"


@pytest.mark.parametrize(
    ("email", "prefix"), [("Ann.Lee@Example.com", "ann.lee"), ('"A@b"@example.com', '"a@b"'), ("X@y", "x")]
)
def test_the_prefix_stands_before_the_last_at(email, prefix):
    assert email_prefix(email) == prefix


def library_accepts(email):
    try:
        validate_email(
            email,
            allow_quoted_local=True,
            allow_domain_literal=True,
            check_deliverability=False,
            globally_deliverable=False,
            strict=True,
        )
    except EmailNotValidError:
        return False
    return True


PIECES = st.text(alphabet="aZ09.-_+'!@\" []:xn", max_size=70)


@given(st.builds("{}@{}".format, PIECES, PIECES))
@example("a@xn--a.com")
@example("a@ab--c.com")
@example("a@" + "d" * 63 + "." + "d" * 64)
@example("a" * 65 + "@b.c")
def test_the_fast_path_accepts_nothing_that_the_library_refuses(email):
    if emails._ORDINARY(email) and len(email) <= emails.MAX_OCTETS:
        assert library_accepts(email)


@given(st.emails())
def test_every_ordinary_address_is_accepted_as_by_the_library(email):
    assert library_accepts(email)
    assert clean_email(email) == email


@given(st.text(max_size=300))
def test_any_text_is_an_email_nothing_or_rejected(text):
    try:
        email = clean_email(text)
    except RejectionError:
        return
    assert email is None or library_accepts(email)
