import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.cancel import excerpt, mention_pattern, mentions_cancel
from intercom_sync.domain.rules import CANCEL_WORDS
from intercom_sync.domain.text import visible_text


def said(text, words=CANCEL_WORDS):
    """Whether both engines find a mention; they must agree."""
    by_python = mentions_cancel(text, words)
    by_polars = pl.Series([text]).str.contains(mention_pattern(words)).item()
    assert by_python == by_polars, text
    return by_python


@pytest.mark.parametrize("word", CANCEL_WORDS)
def test_each_word_of_the_directive_is_a_mention(word):
    assert said(word)
    assert said(f"We are {word.upper()}!")


@pytest.mark.parametrize(
    "text", ["cancelled", "Churning again", "I'm leaving.", "(cancel)", "-cancel", "«leaving»", "'cancel'"]
)
def test_a_word_is_open_ended_and_starts_a_word(text):
    assert said(text)


@pytest.mark.parametrize(
    "text", ["uncancelable", "xchurn", "2cancel", "_leaving", "écancel", "can cel", "not  renewing", ""]
)
def test_the_middle_of_a_word_is_no_mention(text):
    assert not said(text)


@pytest.mark.parametrize(
    "html", ["<p>I won&rsquo;t<br>renew</p>", "won`t &nbsp;renew", "<b>wo</b>n＇t renew", "WON´T RENEW"]
)
def test_mentions_are_found_in_visible_text(html):
    assert said(visible_text(html))


def test_words_are_folded_like_the_text():
    assert said("we won't renew", ["  won’t \u00a0 renew "])
    assert said("mañana ÉTÉ", ["été"])


@pytest.mark.parametrize("words", [[], [""], ["  ", "\u200b", "\n"]])
def test_without_words_nothing_is_a_mention(words):
    assert not said("cancel", words)
    assert not said("", words)
    assert excerpt("cancel", words) is None


@pytest.mark.parametrize(
    "word", ["a.b", "c++", "(x)", "[y]", "{2}", "^z$", "a|b", "\\d", "x-y&&z~#", "?", "*", "<b>", "$5"]
)
def test_words_are_taken_literally(word):
    assert said(f"so {word} there", [word])
    assert not said("so axb d 7 there", [word])


@given(st.text(max_size=30).filter(visible_text))
def test_any_word_makes_a_pattern_for_both_engines(word):
    assert said("", [word]) is False
    mention_pattern([word])
    pl.Series(["x"]).str.contains(mention_pattern([word]))


ALPHABET = st.text(alphabet="canel chur-_'29é\n.", max_size=40)


@given(ALPHABET, st.lists(ALPHABET, max_size=3))
def test_both_engines_find_the_same(text, words):
    said(text, words)


def test_an_excerpt_shows_the_words_around_the_first_mention():
    text = "one two three four we will cancel it soon and then five six seven eight"
    assert excerpt(text, CANCEL_WORDS, width=30) == "…we will cancel it soon…"
    assert excerpt("I cancel", CANCEL_WORDS) == "I cancel"
    assert excerpt("all is well", CANCEL_WORDS) is None


@given(st.text(alphabet="ab ", max_size=300), st.text(alphabet="ab ", max_size=300), st.integers(0, 80))
def test_an_excerpt_always_holds_the_mention_and_stays_near_its_width(before, after, width):
    found = excerpt(visible_text(f"{before} leaving {after}"), CANCEL_WORDS, width)
    assert "leaving" in found
    assert len(found) <= max(width, len(" leaving")) + 4
