"""What is told of an error that nobody foresaw: its class and its place, and none of its words."""

import traceback

import pytest

from intercom_sync.unforeseen import UnforeseenError, without_words


def test_an_unforeseen_error_goes_on_without_its_words_or_a_trace_of_itself() -> None:
    with pytest.raises(UnforeseenError) as caught, without_words(KeyError):
        int("ada@example.com")
    shown = "".join(traceback.format_exception(caught.value))
    assert "ada@example.com'" not in shown
    assert "builtins.ValueError" in str(caught.value)
    assert "test_unforeseen.py:" in str(caught.value)


def test_a_known_error_passes_as_it_is() -> None:
    with pytest.raises(KeyError, match="a sentence"), without_words(KeyError):
        raise KeyError("a sentence")
