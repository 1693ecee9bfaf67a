"""Values of generated records, each with the result that the rules require."""

DAY = 86_400

# Spellings of a few emails, so that contacts share them; the last one is not ASCII.
EMAILS = ("ada@example.com", "bob@example.com", "cleo@my_mail.example", "zoë@example.com")
SPELLINGS = (
    str, str.upper, str.title, lambda email: f"  {email} ", lambda email: f"\t{email.upper()}\n",
    lambda email: f"\ufeff{email}\u200b", lambda email: f"\u200e {email.upper()}\u00a0\u00ad",
)  # fmt: skip
NO_EMAILS = (None, "", "   ", "\ufeff \u200b")
BAD_EMAILS = (
    "not an address", "two@signs@example.com", "ada@", "@example.com", f"{'a' * 65}@example.com", "ada@exa mple.com",
    "ada@exa\u200bmple.com", "mailto:ada@example.com", "ada@-my_mail.example",
    42, True, ["ada@example.com"], {"email": "ada@example.com"},
)  # fmt: skip

# Message texts, and whether each is a cancel mention.
BODIES = {
    "<p>Hello, I have a question.</p>": False,
    "<p>I want to <b>cancel</b> my plan.</p>": True,
    "<p>We are LEAVING you next month</p>": True,
    "<p>I won&#8217;t renew this year</p>": True,
    "<p>We are not&nbsp;renewing.</p>": True,
    "<p>It is uncancelable, I hear</p>": False,
    "<p>Thanks!</p><blockquote>please cancel me</blockquote>": False,
    "<div>can</div><div>cel</div>": False,
    "<p>can<i>cel</i>led yesterday</p>": True,
    "<p>customers are churning</p>": True,
    "\u26a0\ufe0fcancel my plan": True,
    "<p>\uff23\uff21\uff2e\uff23\uff25\uff2c, can\u00adcel&#x200B;</p>": True,
    "<p>We won&acute;t&nbsp; renew</p>": True,
    "<p>x\u0302cancel</p>": False,
    "<p>Thanks!</p><div class='gmail_quote'>On Mon, Bob wrote: you can cancel any time</div>": False,
    "<div class='gmail_quote'><blockquote>you may stay</blockquote>No, I am leaving</div>": True,
    "<p>Thanks!</p><div id='divRplyFwdMsg'>From: Bob</div><div>you can cancel any time</div>": False,
    "Thanks!\n\nOn 1 Mar 2026 at 10:30 Bob\nwrote:\n\nyou can cancel any time": False,
    "On Mon, Bob wrote:\n> you may stay\n\nNo, we are switching": True,
    "<p>&gt; you can cancel any time</p><p>Thanks!</p>": False,
    None: False,
}
AUTHORS = ("user", "lead", "contact", "admin", "bot")
CUSTOMERS = frozenset({"user", "lead", "contact"})

# Invalid values of a required timestamp. Null is one of them; an optional timestamp may be null.
BAD_TIMES = ("1770000000", 1_770_000_000.0, 1_770_000_000_000, 0, -5, True, {}, [1])

STATUSES = ("incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused")

ZONES = (
    "UTC", "Etc/GMT+12", "America/Los_Angeles", "America/St_Johns", "Europe/Berlin", "Asia/Kolkata",
    "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Kiritimati",
)  # fmt: skip
