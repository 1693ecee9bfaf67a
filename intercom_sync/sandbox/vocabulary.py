"""Names, domains and sentences of generated workspaces. All of them are invented."""

_FIRST = (
    "Ada Bram Chidi Dunja Elif Farid Greta Hana Ivo Jorun Kemal Lena Mateo Nia Oskar Priya Quinn Rosa Sami Tove "
    "Umar Vera Wim Xenia Yusuf Zofia Anouk Bela Cleo Dario Esme Finn Gwen Hugo Ines Jonas Kaia Luca Mira Noor "
    "Odile Pavel Rania Soren Thea Ugo Violet Wren Yara Zeno"
)
FIRST = tuple(_FIRST.split())
_LAST = (
    "Abara Brandt Castellan Dovecote Ekholm Fairwater Gannet Hollow Ilves Juniper Kestrel Lindqvist Marlowe Nakahara "
    "Okonjo Pellerin Quimby Rasmus Sorrel Tamboli Underhill Vasari Whitlock Yarrow Zeller Ashdown Birch Corrigan "
    "Dunmore Everly Foxglove Grinstead Hathaway O'Dell Ståhl Müller Núñez"
)
LAST = tuple(_LAST.split())
_COMPANIES = (
    "acorn birchline cobalt driftwood emberly fernway gable harborlight inkwell juno kindling larkspur meadow "
    "northgate orchard pinecone quarry riverbend saltmarsh thimble upland vellum willow yonder zephyr"
)
COMPANIES = tuple(_COMPANIES.split())
ENDINGS = ("example.com", "example.org", "example.net", "example")
PLACES = (
    ("Ireland", "Leinster", "Dublin"),
    ("United States", "California", "Oakland"),
    ("United States", "New York", "Albany"),
    ("Germany", "Bavaria", "Nuremberg"),
    ("France", "Brittany", "Rennes"),
    ("Japan", "Kansai", "Kobe"),
    ("Brazil", "Paraná", "Curitiba"),
    ("Kenya", "Nairobi County", "Nairobi"),
    ("India", "Kerala", "Kochi"),
    ("Norway", "Vestland", "Bergen"),
    ("Canada", "Quebec", "Gatineau"),
    ("Australia", "Victoria", "Geelong"),
)
TEAMMATES = (("7001", "Robin Sandbox"), ("7002", "Alex Bench"), ("7003", "Sam Counter"), ("7004", "Kim Desk"))

QUESTIONS = (
    "<p>Hi, how do I invite a colleague to my workspace?</p>",
    "<p>The export has been stuck at 40% since this morning.</p>",
    "<p>Can we get an invoice with our <b>VAT number</b> on it?</p>",
    "<p>Is there an API for reports? I can&#39;t find it in the docs.</p>",
    "<p>Hello,</p><p>our card was renewed &amp; the payment failed.</p>",
    "<p>Where can I change the colour of the widget?</p>",
    "<p>Two of us see different numbers on the same dashboard.</p>",
    "<p>Does the annual plan include single sign-on?</p>",
)
REPLIES = (
    "<p>That worked, thank you!</p>",
    "<p>Still the same for me, here is a screenshot.</p>",
    "<p>Great &#x1F44D; I&rsquo;ll try it tomorrow.</p>",
    "<p>Could you look again? It says &ldquo;not found&rdquo;.</p>",
    "<p>Yes, for all five of us.</p>",
)
ANSWERS = (
    "<p>Thanks for writing! You find it under <i>Settings</i>, then <i>Team</i>.</p>",
    "<p>I have restarted the export, it should be done in a minute.</p>",
    '<p>Have a look at <a href="https://help.sandbox.example/reports">the guide</a>.</p>',
    "<p>I&#39;ll check with our engineers and come back to you.</p>",
    "<p>Happy to help. Anything else?</p>",
)
CAMPAIGN = "<h2>What&#39;s new this month</h2><p>Faster exports, and a calmer inbox.</p>"
CANCELS = (
    "<p>Please cancel my subscription at the end of the month.</p>",
    "<p>How do I start the cancellation?</p>",
    "<p>We are cancelling next week.</p>",
    "<p>To be honest we <i>chu</i>rn through tools and this one goes.</p>",
    "<p>We&#8217;re leaving for a cheaper tool.</p>",
    "<p>Our team is switching to something else.</p>",
    "<p>We are not&nbsp;renewing this year.</p>",
    "<p>We won&#39;t renew, sorry.</p>",
    "<p>We won&rsquo;t<br>renew.</p>",
    "<p>I already can<b>cel</b>led twice and still get invoices!</p>",
)
NOT_CANCELS = (
    "<p>Is the deposit uncancelable?</p>",
    "<p>Thanks!</p><blockquote><p>You may cancel at any time.</p></blockquote>",
)
TEAM_CANCELS = (
    "<p>If you ever want to cancel, it takes two clicks.</p>",
    "<p>Sorry to hear that you are leaving us.</p>",
)
