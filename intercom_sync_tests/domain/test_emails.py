import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from intercom_sync.domain import emails
from intercom_sync.domain.emails import clean_email, trim_email
from intercom_sync.domain.parsing import InvalidRecordError

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
        "ann@my_co.com",
        "ann@_mail.example.com",
        "ann@mail_.example.com",
        "ann@a_b",
        '"ann smith"@my_co.com',
        "jürgen@my_co.de",
        "юлия@моя_почта.рф",
        "ann@xn--mnchen-3ya.my_co.de",
        f"{LOCAL_64}@example.com",
        f"a@{LABEL_63}.com",
    ],
)
def test_an_address_that_the_rfcs_allow_is_kept_as_spelled(email):
    assert clean_email(f" \t{email}\n") == email


UNSEEN = {
    "byte-order mark": "\ufeff", "zero-width space": "\u200b", "zero-width joiner": "\u200d",
    "word joiner": "\u2060", "left to right": "\u200e", "isolate": "\u2066", "pop isolate": "\u2069",
    "embedding": "\u202a", "Arabic mark": "\u061c", "soft hyphen": "\u00ad", "no-break space": "\u00a0",
    "narrow space": "\u202f", "ideographic space": "\u3000", "variation selector": "\ufe0f",
    "Mongolian separator": "\u180e", "braille blank": "\u2800", "Hangul filler": "\u3164", "line separator": "\u2028",
    "tag": "\U000e0020", "several": " \ufeff\u200b \u200e",
}  # fmt: skip


@pytest.mark.parametrize("unseen", UNSEEN.values(), ids=UNSEEN)
def test_what_nobody_sees_around_an_address_is_trimmed(unseen):
    assert clean_email(f"{unseen}Ann@example.com{unseen}") == "Ann@example.com"
    assert clean_email(f"{unseen}zoë@example.com{unseen}") == "zoë@example.com"
    assert clean_email(unseen) is None


def test_a_million_invisible_characters_are_trimmed():
    padding = "\u200b \ufeff" * 400_000
    assert clean_email(f"{padding}ann@example.com{padding}") == "ann@example.com"
    assert trim_email(f"a{padding}b") == f"a{padding}b"


@pytest.mark.parametrize("email", ["ann@exam\u200bple.com", "an\u200bn@example.com", "an\u00adn@example.com"])
def test_what_nobody_sees_within_an_address_makes_it_invalid(email):
    with pytest.raises(InvalidRecordError):
        clean_email(email)


@pytest.mark.parametrize("look_alike", ["ａnn@example.com", "аnn@example.com", "ann@xn--e1awd7f.com"])
def test_addresses_that_only_look_alike_stay_as_spelled(look_alike):
    assert clean_email(look_alike) == look_alike


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
        "ann@-my_co.com",
        "ann@my_co.com-",
        "ann@my_co..com",
        "mailto:ann@example.com",
        "ann@[my_host]",
        "ann@[IPv6:2001_db8::1]",
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
    with pytest.raises(InvalidRecordError) as refused:
        clean_email(email)
    assert (refused.value.reason, refused.value.field) == ("email is not a valid address", "email")
    assert refused.value.value == email


def test_254_octets_are_the_most_an_address_may_have():
    domain = ".".join([LABEL_63, LABEL_63, LABEL_63])  # 3 × 63 + 2 = 191
    longest = "l" * 62 + "@" + domain  # 62 + 1 + 191 = 254
    assert clean_email(longest) == longest
    with pytest.raises(InvalidRecordError):
        clean_email("l" + longest)


@pytest.mark.parametrize("nothing", [None, "", "  ", "\t\n", "\u00a0", "\x00"])
def test_no_email_is_none(nothing):
    assert clean_email(nothing) is None


@pytest.mark.parametrize("value", [0, 1.5, True, [], {}, ["ann@example.com"]])
def test_what_is_no_text_is_no_email(value):
    with pytest.raises(InvalidRecordError, match="email is not a valid address"):
        clean_email(value)


def test_nul_and_broken_surrogates_are_cleaned_away():
    assert clean_email("ann\x00@exam\ud800ple.com") == "ann@example.com"


def library_accepts(email):
    """Whether the library does, to which an underscore in a domain is any other letter."""
    local, at, domain = email.rpartition("@")
    try:
        validate_email(
            f"{local}{at}{domain if domain[:1] == '[' else domain.replace('_', 'u')}",
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
    if emails._is_plain_address(email) and len(email) <= emails.MAX_OCTETS:
        assert library_accepts(email)


@given(st.emails())
def test_every_ordinary_address_is_accepted_as_by_the_library(email):
    assert library_accepts(email)
    assert clean_email(email) == email


@given(st.text(max_size=300))
def test_any_text_is_an_email_nothing_or_rejected(text):
    try:
        email = clean_email(text)
    except InvalidRecordError:
        return
    assert email is None or library_accepts(email)
