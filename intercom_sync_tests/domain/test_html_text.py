from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.html_text import visible_text
from intercom_sync_tests.growth import is_linear


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hello <b>Ann</b>,</p>", "Hello Ann,"),
        ("can<b>c</b>el", "cancel"),
        ("<p>one</p><p>two</p>", "one two"),
        ("one<br>two<br/>three<BR />four", "one two three four"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<ul><li>a<li>b</ul>c", "a b c"),
        ("not&nbsp;\u00a0 \t\n\u2003\u2028renewing", "not renewing"),
        ("won&#39;t won&rsquo;t won&#x2019;t", "won't won't won't"),
        ("' ’ ‘ ʼ ＇ ` ´ ′", "' ' ' ' ' ' ' '"),
        ("a &amp;lt; b &lt;b&gt;", "a &lt; b <b>"),
        ("can\u00adcel can&shy;cel can\u200bcel \ufeffcan\u2060cel", "cancel cancel cancel cancel"),
        ('<a href="https://x.example/cancel" title="a > b">here</a>', "here"),
        ("<a title='leaving > now'>here</a>", "here"),
        ("<p don't>stay</p>", "stay"),
        ("", ""),
        ("plain", "plain"),
        ("a\x00b\ud800c", "abc"),
        ("&#0000000000000000039;", "'"),
        ("<img alt='cancel'>x", "x"),
        ("i<wbr>s", "is"),
    ],
)
def test_text_is_what_a_reader_sees(html, text):
    assert visible_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("new<blockquote>old</blockquote>end", "new end"),
        ("a<blockquote>b<blockquote>c</blockquote>d</blockquote>e", "a e"),
        ("a<BLOCKQUOTE class='x'>b", "a"),
        ("a<blockquote>b<blockquote>c</blockquote>d", "a"),
        ("a</blockquote>b", "a b"),
        ("a<blockquote/>b", "a b"),
    ],
)
def test_blockquotes_are_left_out_nested_and_unclosed_too(html, text):
    assert visible_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<script>cancel</script>b", "a b"),
        ("a<style>.cancel{}</STYLE >b", "a b"),
        ("a<script>if (a</b) '</scripts>'</script>b", "a b"),
        ("a<script>cancel", "a"),
        ("a<!-- cancel -->b", "ab"),
        ("a<!-- <b> > -->b<!-->c<!--->d", "abcd"),
        ("a<!-- cancel", "a"),
        ("<!DOCTYPE html><?xml version='1'?>a<![endif]>b</ >c", "abc"),
    ],
)
def test_scripts_styles_comments_and_declarations_are_left_out(html, text):
    assert visible_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div style='display: none; max-height: 0'>a preheader</div>b", "b"),
        ("<div hidden>a</div>b<template>c</template>", "b"),
        ("<span style='mso-hide:all'>a<span>b</span>c</span>d", "d"),
        ("<p style='display:none'>a<p>b", "b"),
        ("<iframe>a</iframe>b", "b"),
        ("<head><title>a</title><style>b</style></head>c", "c"),
        ("<head>a", "a"),
        ("<a title='hidden' data-x='display:none'>b</a>", "b"),
        ("<input type='hidden' value='a'>b", "b"),
        ("<td><div style='display:none'>a</td><p>b", "b"),
    ],
)
def test_what_is_hidden_is_left_out_and_nothing_else(html, text):
    assert visible_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("won&#39t renew", "won't renew"),
        ("cancel&nbspnow", "cancel now"),
        ("&ltb&gt", "<b>"),
        ("won&amp;#39;t", "won&#39;t"),  # the reader sees it so
        ("&amp;amp;lt;", "&amp;lt;"),
        ("&unknown; &", "&unknown; &"),
        ("&#xD83D;x", "\ufffdx"),
        ("R&D", "R&D"),
    ],
)
def test_entities_are_decoded_once_with_and_without_semicolon(html, text):
    assert visible_text(html) == text


@pytest.mark.parametrize("html", ["a < b", "1 <2", "<", "<>", "a<", "x <y and cancel", "<<<", "I <3 you", "<b", "</"])
def test_what_is_no_tag_is_text(html):
    assert visible_text(html) == html


def test_an_attribute_quote_that_never_closes_does_not_swallow_the_message():
    assert visible_text('<a title="x>I cancel</a> <p>now</p>') == "I cancel now"


FLOODS = {
    "less-than": "<" * 10_000_000,
    "tag starts": "<a" * 2_000_000,
    "unclosed quotes": '<a x="' * 1_000_000,
    "mixed quotes": "<a x='\">" * 500_000,
    "equals": "<a " + "=" * 5_000_000,
    "open divs": "<div>" * 100_000 + "x" + "</div>" * 50_000,
    "blockquotes": "<blockquote>" * 100_000,
    "comment starts": "<!--" * 2_000_000,
    "declarations": "<!" * 2_000_000,
    "scripts": "<script>" * 500_000,
    "script ends": "<script></script" * 300_000,
    "entities": "&amp;" * 1_000_000,
    "ampersands": "&" * 5_000_000,
    "entity starts": "&notanentity" * 300_000,
    "digits": "&#" + "9" * 5_000_000,
    "hexadecimal": "&#x" + "f" * 5_000_000,
    "zeros": "&#" + "0" * 5_000_000 + "39;",
    "spaces": " \u00a0" * 3_000_000,
    "long text": "I am leaving. " * 700_000,
}


GROWING = {
    "paragraphs": lambda n: "<p>" * n,
    "new lines": lambda n: "\n" * n * 10,
    "breaks": lambda n: "<br>\n" * n,
    "bold that never opened": lambda n: "<b>" * n + "</i>" * n,
    "hidden spans": lambda n: "<span hidden>" * n + "</b>" * n,
    "cells": lambda n: "<td>" * n + "</table>" * n,
    "attributes": lambda n: f"<div {'a=b ' * n}>x",
    "a long attribute": lambda n: f"<div {'a' * n * 10}>x",
    "spaces in a tag": lambda n: f"<div class{' ' * n * 10}>x",
    "classes": lambda n: f"<div class='{'gmail_quote ' * n}'>x",
    "mixed attribute quotes": lambda n: "<div " + "a='b=\"" * n + ">x",
    "open attribute quotes": lambda n: "<div hidden " + 'a="' * n,
    "containers": lambda n: "<div class=gmail_quote><blockquote>" * n + "</blockquote></div>" * n,
    "attributions": lambda n: "On 1:11 wrote:\n" * n,
    "half attributions": lambda n: ("11:11:" * 60 + "<a@b" * 5 + ":\n") * (n // 100),
    "headers": lambda n: "From: x\n" * n,
    "headers on a line": lambda n: "From: " * n,
    "quoted lines": lambda n: ">\n" * n,
    "preformatted": lambda n: "<pre>" * n,
    "less-than": lambda n: "<" * n * 10,
    "ampersands": lambda n: "&" * n * 10,
    "comments": lambda n: "<!--" * n,
    "script ends": lambda n: "<script></script" * n,
    "an answer cut in a body": lambda n: '<a href="x">' * n + "<a hre",
}


@pytest.mark.parametrize("shape", GROWING)
def test_reading_takes_linear_time(shape):
    assert is_linear(visible_text, GROWING[shape], 4_000)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("flood", FLOODS)
def test_megabytes_of_hostile_markup_are_read(flood):
    assert isinstance(visible_text("start " + FLOODS[flood] + " end"), str)


def test_what_stands_before_and_after_many_nested_tags_is_seen():
    assert visible_text("a" + "<div><i>" * 100_000 + "b" + "</i></div>" * 100_000 + "c") == "a b c"


MARKUP = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<b>", "</b>", "a", "can", "cel", " ", "&amp;", "&#39;", "<br>", '<a x="1>2">', "é"]
    )
)


class Reference(HTMLParser):
    """The standard library's parser, on markup simple enough for both to agree."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.seen = []

    def handle_data(self, data):
        self.seen.append(data)

    def handle_starttag(self, tag, attrs):
        self.seen.append(" " if tag in ("p", "br") else "")

    def handle_endtag(self, tag):
        self.seen.append(" " if tag == "p" else "")

    def handle_entityref(self, name):
        self.seen.append({"amp": "&"}[name])

    def handle_charref(self, name):
        self.seen.append(chr(int(name)))


@given(MARKUP)
def test_ordinary_markup_reads_as_the_standard_parser_reads_it(pieces):
    reference = Reference()
    reference.feed("".join(pieces))
    reference.close()
    assert visible_text("".join(pieces)) == " ".join("".join(reference.seen).split())


@given(st.text(alphabet="<>/!-'\"=& ;#xabpblockquotescript\u200b\x00", max_size=200) | st.text())
def test_any_text_gives_one_line_without_extra_spaces(html):
    text = visible_text(html)
    assert text == " ".join(text.split())
    assert "\x00" not in text
