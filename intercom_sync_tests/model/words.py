"""The vocabulary that worlds are made of, each word with what the rules say of it."""

DAY = 86_400

# Spellings of few emails, so that contacts share them; the last is not ASCII.
EMAILS = ("ada@example.com", "bob@example.com", "cleo@mail.example", "zoë@example.com")
SPELLINGS = (str, str.upper, str.title, lambda email: f"  {email} ", lambda email: f"\t{email.upper()}\n")
NO_EMAILS = (None, "", "   ")
BAD_EMAILS = (
    "not an address", "two@signs@example.com", "ada@", "@example.com", f"{'a' * 65}@example.com", "ada@exa mple.com",
    42, True, ["ada@example.com"], {"email": "ada@example.com"},
)  # fmt: skip

# What people write, and whether it says that they want to leave.
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
    None: False,
}
AUTHORS = ("user", "lead", "contact", "admin", "bot")
CUSTOMERS = frozenset({"user", "lead", "contact"})

# No UNIX seconds: what a required timestamp may not be. Null is one of them; an optional one may be null.
BAD_TIMES = ("1770000000", 1_770_000_000.0, 1_770_000_000_000, 0, -5, True, {}, [1])

STATUSES = ("incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused")

ZONES = (
    "UTC", "Etc/GMT+12", "America/Los_Angeles", "America/St_Johns", "Europe/Berlin", "Asia/Kolkata",
    "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Kiritimati",
)  # fmt: skip
