import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.cancel_mentions import excerpt, mentions_cancel
from intercom_sync.domain.html_text import visible_text
from intercom_sync.domain.rules import CANCEL_WORDS
from intercom_sync.domain.text_folding import comparable
from intercom_sync_tests.growth import is_linear


def said(text, words=CANCEL_WORDS):
    return mentions_cancel(text, words)


@pytest.mark.parametrize("word", CANCEL_WORDS)
def test_each_required_word_is_a_mention(word):
    assert said(word)
    assert said(f"We are {word.upper()}!")


@pytest.mark.parametrize(
    "text",
    ["cancelled", "not \t renewing", "Churning again", "I'm leaving.", "(cancel)", "-cancel", "«leaving»", "'cancel'"],
)
def test_a_word_is_open_ended_and_starts_a_word(text):
    assert said(text)


@pytest.mark.parametrize(
    "text", ["uncancelable", "xchurn", "2cancel", "_leaving", "écancel", "can cel", "notrenewing", ""]
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


@given(st.text(max_size=30).filter(comparable))
def test_any_word_is_found_where_it_is_written_and_not_in_nothing(word):
    assert said(visible_text("") or "", [word]) is False
    assert said(word, [word])


UNSEPARATED = {
    "Han": ("今月で解約したいです", "解約"),
    "kana": ("もうやめたいです", "やめたい"),
    "half-width kana": ("ｻｰﾋﾞｽをｷｬﾝｾﾙします", "キャンセル"),
    "Thai": ("ฉันต้องการยกเลิกบริการ", "ยกเลิก"),
    "Lao": ("ຂ້ອຍຢາກຍົກເລີກ", "ຍົກເລີກ"),
    "Khmer": ("ខ្ញុំចង់បោះបង់", "បោះបង់"),
    "Myanmar": ("ဖျက်သိမ်းချင်ပါတယ်", "သိမ်း"),
    "Latin after Han": ("我想cancel订阅", "cancel"),
    "Latin after kana": ("今日はcancelしたい", "cancel"),
}


@pytest.mark.parametrize(("text", "word"), UNSEPARATED.values(), ids=UNSEPARATED)
def test_scripts_that_do_not_separate_words_are_searched_anywhere(text, word):
    assert said(text, [word])
    assert word[:2] in excerpt(text, [word]) or "ｷｬ" in excerpt(text, [word])


SAME = {
    "decomposed": ("re\u0301silier", "résilier"), "composed": ("résilier", "re\u0301silier"),
    "decomposed after a word": ("je veux RE\u0301SILIER", "résilier"), "full width": ("ｃａｎｃｅｌ", "cancel"),
    "ligature": ("ﬁnish", "finish"), "mathematical": ("\U0001d41c\U0001d41a\U0001d427cel", "cancel"),
    "sharp s": ("SCHLIESSEN", "schließen"), "capital sharp s": ("SCHLIEẞEN", "schliessen"),
    "dotted capital I": ("ABONELİĞİ İPTAL", "iptal"), "dotless capital I": ("IPTAL", "iptal"),
    "dotless word": ("KAPATILSIN", "kapatılsın"), "final sigma": ("ΑΚΎΡΩΣΗΣ", "ακύρωσης"),
    "iota below": ("ᾳ\u0345", "ᾳ\u0345"), "Hangul parts": ("\u1112\u1162\u110c\u1175를", "해지"),
    "Hangul particle": ("구독 해지하고 싶어요", "해지"), "no-break hyphen": ("opt\u2011out", "opt-out"),
    "emoji": ("⚠️cancel", "cancel"), "emoji of a skin": ("👍🏽cancel", "cancel"),
    "family": ("👨\u200d👩\u200d👧cancel", "cancel"),
    "flag": ("🇩🇪cancel", "cancel"), "keycap": ("1️⃣cancel", "cancel"), "heart": ("❤️cancel", "cancel"),
    "selector inside": ("can\ufe0fcel", "cancel"), "zero width": ("can\u200bcel can\u200dcel", "cancel"),
    "grapheme joiner": ("can\u034fcel", "cancel"), "soft hyphen": ("can\u00adcel", "cancel"),
    "no-break space": ("not\u00a0renewing", "not renewing"), "filler": ("not\u3164renewing", "not renewing"),
    "ideographic space": ("not\u3000renewing", "not renewing"),
    "zero width at a space": ("not\u200b renewing", "not renewing"),
    "acute accent": ("won´t renew", "won't renew"), "oxia": ("won\u1ffdt renew", "won't renew"),
    "reversed quote": ("won\u201bt renew", "won't renew"), "grave of full width": ("won｀t renew", "won't renew"),
    "n after an apostrophe": ("ŉ plan", "'n plan"), "dash": ("—cancel", "cancel"), "elision": ("l’annuler", "annuler"),
    "a mark after the word": ("cancel\u0302", "cancel"), "Devanagari": ("मैं रद्द करना", "रद्द"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "word"), SAME.values(), ids=SAME)
def test_what_a_reader_takes_for_the_same_is_the_same(text, word):
    assert said(text, [word])
    assert said(f"so: {text}!", [word])
    assert excerpt(text, [word]) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x\u0302cancel", "cancel"),
        ("é\u0301cancel", "cancel"),
        ("ﬀcancel", "cancel"),
        ("구독해지", "해지"),
        ("résilier", "resilier"),
        ("résilie", "résilier"),
        ("२cancel", "cancel"),
        ("жcancel", "cancel"),
        ("can cel", "cancel"),
    ],
)
def test_what_is_another_word_is_none(text, word):
    assert not said(text, [word])


def test_a_place_where_no_word_starts_does_not_hide_a_later_one():
    assert said("uncancelable, so cancel", CANCEL_WORDS)
    assert said("解解約", ["解約"])
    assert said("unleaving解約", ["leaving解", "解約"])


GROWING = {
    "marks": lambda n: "a" + "\u0301\u0316" * n,
    "marks alone": lambda n: "\u0316\u0301" * n,
    "marks among letters": lambda n: "é\u0301\u0316" * n,
    "half words": lambda n: "xcancel" * n,
    "dashes": lambda n: "-—" * n * 4,
    "letters": lambda n: "é" * n * 4 + " cancel",
    "Han": lambda n: "解約" * n,
    "spaces": lambda n: " \u00a0" * n * 4,
    "Hangul parts": lambda n: "\u1112\u1162" * n,
    "ligatures": lambda n: "\ufdfa" * n,
}


@pytest.mark.parametrize("shape", GROWING)
def test_matching_and_quoting_take_linear_time(shape):
    words = (*CANCEL_WORDS, "解約")
    assert is_linear(lambda text: (mentions_cancel(text, words), excerpt(text, words)), GROWING[shape], 10_000)


@given(st.text() | st.text(alphabet="aİıſßẞΐΣςǰ\u0345\u0301\u0307\u1fb3\u1d160\u115f\u3164´ŉﬀ ' "))
def test_the_comparable_form_of_a_comparable_form_is_itself(text):
    assert comparable(comparable(text)) == comparable(text)


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
