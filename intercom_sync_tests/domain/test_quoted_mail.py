"""Quoted mail is not its author's own text; what the author wrote above, between and below quotes is."""

import pytest

from intercom_sync.domain.html_text import visible_text

Q = "you can cancel any time"
_ATTRIBUTION = "On Mon, Jan 15, 2024 at 10:30 AM Support &lt;s@example.com&gt; wrote:"
_OUTLOOK = "<b>From:</b> Support<br><b>Sent:</b> Monday<br><b>To:</b> Ann<br><b>Subject:</b> Re: plan"

ELEMENTS = {
    "the issue's": f'<div class="gmail_quote">… wrote: {Q}</div>',
    "Gmail": f'<div class="gmail_quote"><div class="gmail_attr">{_ATTRIBUTION}</div><blockquote>{Q}</blockquote></div>',
    "Gmail today": f'<div class="gmail_quote gmail_quote_container"><blockquote>{Q}</blockquote></div>',
    "old Gmail": f'<div class="gmail_extra"><br><div class="gmail_quote">x<blockquote>{Q}</blockquote></div></div>',
    "old Gmail, only the block": f'<div class="gmail_extra">{Q}</div>',
    "Gmail attribution": f'<div class="gmail_attr">{Q}</div>',
    "Gmail forwarded": f'<div class="gmail_quote"><div class="gmail_attr">--- Forwarded message ---</div>{Q}</div>',
    "Yahoo": f'<div id="ydp1yahoo_quoted_2" class="ydp1yahoo_quoted">{Q}<blockquote>x</blockquote>{Q}</div>',
    "Thunderbird": f'<div class="moz-cite-prefix">{Q}</div><blockquote type="cite" cite="mid:x">{Q}</blockquote>',
    "Apple": f'<div>{_ATTRIBUTION}</div><br><blockquote type="cite">{Q}</blockquote>',
    "Proton": f'<div class="protonmail_quote">{Q}</div>',
    "Outlook mobile": f'<div id="mail-editor-reference-message-container">{Q}</div>',
    "quoted by Outlook": f'<div class="x_gmail_quote">{Q}</div>',
    "unquoted, upper case": f"<DIV CLASS=Gmail_Quote>{Q}</DIV>",
    "a span": f'<span class="gmail_quote">{Q} <span>{Q}</span> {Q}</span>',
    "nested": f'<div class="gmail_quote"><div><div>{Q}</div></div>{Q}</div>',
    "inside a table": f'<table><tr><td><div class="gmail_quote">{Q}</td></tr></table>',
    "misnested": f'<b><div class="gmail_quote"></b>{Q}</div>',
}


@pytest.mark.parametrize("html", ELEMENTS.values(), ids=ELEMENTS)
def test_quoting_elements_are_left_out_and_nothing_around_them(html):
    assert visible_text(f"<p>above</p>{html}<p>below</p>") == "above below"
    assert visible_text(f"{html}below") == "below"
    assert visible_text(html) == ""


REST = {
    "Outlook's reply header": f'<div id="divRplyFwdMsg" dir="ltr">{_OUTLOOK}</div><div>{Q}</div>',
    "the web's": f'<div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{_OUTLOOK}</div>{Q}',
    "the web's, as an anchor": f'<a name="appendonsend"></a>{Q}',
    "Word's": f'<div><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p>Från: x</p></div></div><p>{Q}</p>',
    "Word's of 2007": f"<div style='border-top: solid #B5C4DF 1.0pt'><p>x</p></div><p>{Q}</p>",
    "Hotmail": f'<hr id="stopSpelling">Date: x<br>{Q}',
    "a header block": f"<p>{_OUTLOOK}</p><p>{Q}</p>",
    "a header block on a line": f"<p>From: Support Sent: Monday To: Ann Subject: x</p><p>{Q}</p>",
    "German": f"<p>Von: S<br>Gesendet: Montag<br>An: A<br>Betreff: B</p><p>{Q}</p>",
    "GMX": f"Gesendet: Montag<br>Von: S<br>An: A<br>Betreff: B<br>{Q}",
    "French": f"<p>De&nbsp;: S<br>Envoyé : lundi<br>À : A<br>Objet : B</p><p>{Q}</p>",
    "Spanish": f"<p>De: S<br>Enviado el: lunes<br>Para: A<br>Asunto: B</p><p>{Q}</p>",
    "Apple's header": f"<div>From: S<br>Subject: x<br>Date: y<br>To: z</div>{Q}",
    "an attribution": f"<p>{_ATTRIBUTION}</p><p>{Q}</p>",
    "an attribution without a date": f"<p>On Mon, Ann wrote:</p><p>{Q}</p>",
    "over two lines": f"On Mon, Jan 15, 2024 at 10:30 AM Support &lt;<br>s@example.com&gt; wrote:<br>{Q}",
    "German attribution": f"<p>Am 15.01.2024 um 10:30 schrieb Support &lt;s@example.com&gt;:</p>{Q}",
    "German, name last": f"<p>Am Mo., 15. Jan. 2024 um 10:30 Uhr schrieb Support:</p>{Q}",
    "French attribution": f"<p>Le lun. 15 janv. 2024 à 10:30, Support a écrit&nbsp;:</p>{Q}",
    "Spanish attribution": f"<p>El lun, 15 ene 2024 a las 10:30, Support escribió:</p>{Q}",
    "Japanese attribution": f"<p>2024年1月15日(月) 10:30 Support &lt;<a href='x'>s@example.com</a>&gt;:</p>{Q}",
    "a separator": f"<p>-----Original Message-----</p><p>{Q}</p>",
    "German separator": f"<p>----- Ursprüngliche Nachricht -----</p>{Q}",
    "Apple forwarded": f"<p>Begin forwarded message:</p>{Q}",
    "plain": f"\n\nFrom: Support\r\nSent: Monday\r\nTo: Ann\r\nSubject: x\r\n\r\n{Q}",
    "plain separator": f"\n-----Original Message-----\n{Q}",
    "plain attribution": f"\n\nOn Mon, Jan 15, 2024 at 10:30 AM Support\nwrote:\n\n{Q}",
}


@pytest.mark.parametrize("html", REST.values(), ids=REST)
def test_after_an_introduction_everything_is_quoted(html):
    assert visible_text(f"above{html}" if html[0] in "<\n" else f"above<br>{html}") == "above"
    assert visible_text(html) == ""


OWN = {
    "below quoted lines": ("On Mon, Ann wrote:\n> you can\n> cancel\n\nown", "own"),
    "between quoted lines": ("own 1\n> q\nown 2\n>> q\n own 3", "own 1 own 2 own 3"),
    "below, attribution over two lines": ("On 15 Jan 2024 at 10:30\nAnn wrote:\n\n> q\nown", "own"),
    "below a blockquote": ("<p>On x, Ann wrote:</p><blockquote>q</blockquote><p>own</p>", "own"),
    "below in Gmail": (
        '<div class="gmail_quote"><div class="gmail_attr">On x wrote:</div><blockquote>q</blockquote>own</div>',
        "own",
    ),
    "between in Gmail": (
        '<div class="gmail_quote">On x wrote:<blockquote>q</blockquote>own<blockquote>q</blockquote>too</div>',
        "own too",
    ),
    "below in old Gmail": ('<div class="gmail_extra"><div class="gmail_quote">q</div>own</div>', "own"),
    "entities": ("<p>&gt; q</p><p>&gt;&gt; q</p><p>own</p>", "own"),
    "full width": ("＞ q<br>own", "own"),
    "preformatted": ("<pre>own\n&gt; q\nown 2</pre>", "own own 2"),
    "preformatted by style": ('<div style="white-space: pre-wrap">own\n&gt; q</div>', "own"),
    "a line of HTML may start with >": ("<p>more\n&gt; less</p>", "more > less"),
    "a mark in a quote": ('<blockquote><div id="divRplyFwdMsg">q</div>q</blockquote>own', "own"),
    "a contact form": ("From: Ann\nSubject: plan\n\nMessage Body:\nown", "From: Ann Subject: plan Message Body: own"),
    "labels": ("To: you<br>From: me<br>own", "To: you From: me own"),
    "wrote": ("<p>On Monday Ann wrote: cancel it.</p><p>own</p>", "On Monday Ann wrote: cancel it. own"),
    "schrieb ich": ("Am 5. Mai schrieb ich Ihnen:<br>own", "Am 5. Mai schrieb ich Ihnen: own"),
    "other classes": ('<div class="my_gmail_quote_x" id="quote">own</div>', "own"),
    "a border": ('<div style="border-top: 1px solid #E1E1E1">own</div>', "own"),
    "an arrow": ("-> own<br>--> own", "-> own --> own"),
    "a word": ("<p>Onward</p><p>she wrote:</p><p>own</p>", "Onward she wrote: own"),
}


@pytest.mark.parametrize(("html", "text"), OWN.values(), ids=OWN)
def test_the_authors_own_text_stays(html, text):
    assert visible_text(html) == text
