"""Generate conversations that cover every case of the support rules.

The first conversations have one case each, later ones a random case. About a third are from the last 30 days.
"""

from itertools import accumulate
from random import Random
from typing import Any

from intercom_sync.sandbox import vocabulary
from intercom_sync.sandbox.builders import Json, author, conversation, message, part, rating

DAY = 86_400
CASES = (
    "plain", "rated", "rating asked", "no statistics", "cancel in opening", "cancel in reply", "cancel quoted",
    "cancel long ago", "cancel by teammate", "cancel in note", "cancel by bot", "empty bodies", "redacted", "group",
    "author mismatch", "campaign", "snoozed", "closed", "long",
)  # fmt: skip
_WEIGHTS = tuple(
    accumulate({"plain": 40, "rated": 16, "closed": 20, "campaign": 6, "long": 0}.get(case, 2) for case in CASES)
)
_LONG_PARTS = 620  # Intercom returns the newest 500


class ConversationGenerator:
    """Builds one conversation.

    Args:
        rng: the random generator.
        at: the index of the conversation.
        now: the current time in UNIX seconds.
        people: the contacts to choose participants from.
    """

    def __init__(self, rng: Random, at: int, now: int, people: list[Json]) -> None:
        self.rng = rng
        self.at = at
        self.case = CASES[at] if at < len(CASES) else rng.choices(CASES, cum_weights=_WEIGHTS)[0]
        days = rng.uniform(35, 700) if self.case == "cancel long ago" or not self._recent() else rng.uniform(0.05, 29)
        self.created = now - int(days * DAY)
        self.span = max(600, min(3 * DAY, now - self.created - 60))
        self.people = rng.sample(people, min(len(people), 3 if self.case == "group" else 1))
        self.author = self._author(self.people[0])

    def _recent(self) -> bool:
        return self.at < len(CASES) or self.rng.random() < 0.33

    @staticmethod
    def _author(person: Json) -> Json:
        return author(str(person["role"]), person["id"], person["name"], person["email"] or "")

    def build(self) -> Json:
        """Return the conversation."""
        state = {"closed": "closed", "rated": "closed", "snoozed": "snoozed"}.get(self.case, "open")
        built = conversation(
            id=str(200_000 + self.at),
            contact_ids=[person["id"] for person in self.people],
            created_at=self.created,
            source=self._source(),
            parts=self._parts(state),
            state=state,
            conversation_rating=self._rating(),
            admin_assignee_id=self.rng.choice((0, 7001, 7002)),
        )
        if self.case == "snoozed":
            built["snoozed_until"] = built["updated_at"] + 7 * DAY
        if self.case == "no statistics":
            built["statistics"] = None
        return built

    def _source(self) -> Json:
        fields: dict[str, Any] = {"id": str(400_000_000 + self.at), "body": self._opening(), "author": self.author}
        if self.case == "campaign":
            fields |= {"delivered_as": "campaigns_initiated", "author": self._team(), "type": "email"}
            fields["subject"] = "What&#39;s new"
        if self.case == "author mismatch":
            fields["author"] = {**self.author, "type": "lead", "email": ""}
        return message(**fields)

    def _opening(self) -> str:
        match self.case:
            case "campaign":
                return vocabulary.CAMPAIGN
            case "cancel in opening" | "cancel long ago":
                return self.rng.choice(vocabulary.CANCELS)
            case "cancel quoted":
                return vocabulary.NOT_CANCELS[1]
            case "empty bodies":
                return ""
        return self.rng.choice(vocabulary.QUESTIONS)

    def _team(self) -> Json:
        id, name = self.rng.choice(vocabulary.TEAMMATES)
        return author("admin", id, name, f"{name.split()[0].lower()}@sandbox.example")

    def _parts(self, state: str) -> list[Json]:
        count = {"campaign": 0, "long": _LONG_PARTS}.get(self.case, self.rng.choice((0, 1, 2, 3, 4)))
        fields_of_parts = [self._reply(number) for number in range(count)] + self._case_parts()
        if state == "closed":
            fields_of_parts.append({"part_type": "close", "body": None, "author": self._team()})
        step = self.span // (len(fields_of_parts) + 1)
        return [
            part(**fields, id=str(self.at * 1000 + number), created_at=self.created + number * step)
            for number, fields in enumerate(fields_of_parts, 1)
        ]

    def _reply(self, number: int) -> dict[str, Any]:
        if number % 2:
            reply_author = {**self.author, "type": "user"} if self.case == "author mismatch" else self._reply_author()
            return {"body": self.rng.choice(vocabulary.REPLIES), "author": reply_author}
        return {"body": self.rng.choice(vocabulary.ANSWERS), "author": self._team()}

    def _reply_author(self) -> Json:
        return self._author(self.rng.choice(self.people)) if self.case == "group" else self.author

    def _case_parts(self) -> list[dict[str, Any]]:
        """Return the parts that are specific to the case."""
        bot = author("bot", "9001", "Fin", "fin@sandbox.example")
        match self.case:
            case "cancel in reply" | "group":
                return [{"body": self.rng.choice(vocabulary.CANCELS), "author": self._reply_author()}]
            case "cancel quoted":
                return [{"body": self.rng.choice(vocabulary.NOT_CANCELS), "author": self.author}]
            case "cancel by teammate":
                return [{"body": self.rng.choice(vocabulary.TEAM_CANCELS), "author": self._team()}]
            case "cancel in note":
                return [{"body": "<p>They want to cancel.</p>", "part_type": "note", "author": self._team()}]
            case "cancel by bot":
                return [{"body": "<p>To cancel, type CANCEL.</p>", "author": bot}]
            case "empty bodies":
                return [{"body": None, "part_type": "assignment", "author": bot}, {"body": None, "author": self.author}]
            case "redacted":
                return [{"body": None, "redacted": True, "author": self.author}]
        return []

    def _rating(self) -> Json | None:
        if self.case not in ("rated", "rating asked"):
            return None
        score = self.rng.choice((1, 2, 3, 4, 4, 5, 5, 5)) if self.case == "rated" else None
        return rating(score, by=self.people[0]["id"], at=self.created + self.span // 2)
