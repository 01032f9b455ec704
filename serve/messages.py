"""What goes in and out of `POST /v1/copy`. Unknown keys are refused; loads no Ray and no torch."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from copywriting.plain import MAX_PLAIN, is_line
from copywriting.voices import NAME

MAX_CANDIDATES = 8
MAX_PARTNERS = 3

Locale = Literal["zh-CN", "en-US", "en-GB"]
ChannelName = Literal[
    "product_page",
    "email",
    "email_subject",
    "push",
    "sms",
    "search_ad",
    "social",
    "chat_reply",
    "banner",
    "article_title",
    "article_summary",
]
Tone = Literal["warm", "playful", "elegant", "urgent", "plain", "expert"]
Principle = Literal["scarcity", "social_proof", "authority", "reciprocity", "liking", "commitment", "unity", "value", "benefit"]
Occasion = Literal[
    "auto", "everyday", "spring", "summer", "autumn", "winter", "new_year", "spring_festival", "lantern", "valentines", "womens_day",
    "easter", "mothers_day", "childrens_day", "dragon_boat", "mid_year_sale", "fathers_day", "qixi", "back_to_school", "mid_autumn",
    "double_ninth", "halloween", "singles_day", "thanksgiving", "black_friday", "cyber_monday", "double_twelve", "christmas", "boxing_day",
    "birthday",
]  # fmt: skip
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


def _plain(phrase: str) -> str:
    if not is_line(phrase):
        raise ValueError(f"must be one line of printable text without braces, angle brackets or links, of at most {MAX_PLAIN} characters")
    return phrase


PlainPhrase = Annotated[Phrase, AfterValidator(_plain)]
"""Words that go into the copy as they are."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InlineEvent(_Message):
    """Something that a described shopper did."""

    kind: Literal["view", "cart", "purchase", "review", "search"]
    product_id: Identifier | None = None
    at: AwareDatetime
    value: Annotated[float, Field(ge=0, le=1e9)] | None = None
    text: Annotated[str, StringConstraints(max_length=2000)] | None = None


class InlineShopper(_Message):
    """A shopper described in the request instead of looked up. Nothing is used unless `consent` is true."""

    consent: bool = False
    locale: Locale | None = None
    name: Annotated[str, StringConstraints(max_length=40)] | None = None
    city: Annotated[str, StringConstraints(max_length=40)] | None = None
    age_band: Annotated[str, StringConstraints(max_length=20)] | None = Field(None, description="25-34, under 18, 65+")
    gender: Annotated[str, StringConstraints(max_length=20)] | None = None
    interests: Annotated[list[Phrase], Field(max_length=10)] = []
    events: Annotated[list[InlineEvent], Field(max_length=200)] = Field([], description="what they did lately, in any order")


class ChatTurn(_Message):
    """One turn of a conversation."""

    role: Literal["shopper", "shop"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class CopyRequest(_Message):
    """Write copy for one shopper at one moment. Name a product, search for one, or leave both out to have one recommended."""

    shopper_id: Identifier | None = None
    shopper: InlineShopper | None = None
    product_id: Identifier | None = None
    bundle_with: Identifier | Annotated[list[Identifier], Field(min_length=1, max_length=MAX_PARTNERS)] | None = Field(
        None, description="write about this product, or these, too; `auto`: what is bought together with the first, or most like it"
    )
    query: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = None
    channel: ChannelName
    locale: Locale | None = Field(None, description="default: the shopper's own, else en-US")
    tone: Tone = "warm"
    principles: Annotated[list[Principle], Field(max_length=9)] | Literal["auto"] = "auto"
    appeal: Literal["emotional", "logical", "ethical", "auto"] = Field("auto", description="narrows the principles to those of one appeal")
    occasion: Occasion = "auto"
    brand_voice: Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")] | None = Field(
        None, description="a published voice: its guide, and its adapter where it has one"
    )
    n: Annotated[int, Field(ge=1, le=MAX_CANDIDATES)] = 4
    max_chars: Annotated[int, Field(ge=20, le=600)] | None = Field(None, description="lowers the channel's limit")
    must_include: Annotated[list[PlainPhrase], Field(max_length=5)] = []
    must_not_include: Annotated[list[Phrase], Field(max_length=20)] = []
    conversation: Annotated[list[ChatTurn], Field(max_length=20)] = []
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    deadline_ms: Annotated[int, Field(ge=50, le=60_000)] = Field(
        10_000, description="time for a whole answer; a shorter one costs quality first"
    )
    strict: bool = Field(
        False, description="drop a draft with an unproved or unlawful claim instead of repairing it; prices need a history"
    )
    jurisdiction: Literal["auto", "CN", "US", "GB", "EU"] = Field("auto", description="whose law holds; auto: the locale's market")
    stream: bool = Field(False, description="answer as server-sent events: text once it is checked, then the whole answer (serve/sse.py)")
    explain: bool = Field(
        False, description="also return the brief, the refused drafts with their reasons, and what a response model may read"
    )

    @property
    def partners(self) -> tuple[str, ...]:
        """`bundle_with` as a sequence, empty for none."""
        given = self.bundle_with or ()
        return (given,) if isinstance(given, str) else tuple(given)


class ClaimOut(_Message):
    """A span, `text[start:end]`, and the fact that proves it. `slot` is null for a word that a text of the product proves."""

    kind: str
    slot: str | None
    start: int
    end: int
    value: str
    source: str
    version: int
    derivation: str = Field("", description="the arithmetic of a value that no column holds: 500.00 × 80% = 400.00 CNY")


class VerdictOut(_Message):
    """What a rule of law says of a piece and what was done: refused, cut, replaced, added, or advice to whoever sends it."""

    rule: str
    law: str
    text: str
    remedy: str
    action: Literal["refused", "cut", "replaced", "added", "advice"]


class Scores(_Message):
    """All in [0, 1]; null where the stage is missing from this answer (see `degraded`)."""

    utility: float
    persuasion: float | None = None
    principles: dict[str, float] | None = None
    sentiment: float | None = None
    sentiment_label: str | None = None
    image_fit: float | None = None
    response: float | None = Field(None, description="chance of a click (or what the response model foretells); null without such a model")


class Choice(_Message):
    """One piece of copy, checked and scored."""

    variant_id: str
    origin: Literal["model", "template"]
    text: str
    parts: dict[str, str]
    scores: Scores
    probability: float = Field(description="with which the policy chooses this variant; greedy here: 1 for the first")
    claims: list[ClaimOut]
    compliance: list[VerdictOut]
    appeals: list[str] = Field(description="emotional, logical or ethical, by the principles that it shows")
    image: str | None
    reasons: list[str]


class ProductOut(_Message):
    """A product that was considered, best first."""

    product_id: str
    name: str
    score: float
    reason: str


class Usage(_Message):
    """What the generator did. `cached` drafts cost no tokens."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    cached: bool = False
    drafts: int = 0
    refused: int = 0
    alike: int = Field(0, description="drafts left out because they say what another says")


class Notice(_Message):
    """Something in the request that could not be followed, and what was done instead."""

    field: str
    value: str
    detail: str
    remedy: str


class Refused(_Message):
    """A draft that may not leave: every reason, and those of the law as verdicts."""

    draft: str
    reasons: list[str]
    verdicts: list[VerdictOut] = []


class Explanation(_Message):
    """Why the answer is as it is: the prompt's brief and every refused draft."""

    tone: str
    occasion: str
    principles: list[str]
    slots: list[str]
    intent: str | None
    doubts: list[str] = Field([], description="aspects that the shopper's own reviews doubt; with consent only")
    likings: list[str] = Field([], description="aspects that the shopper's own reviews like; with consent only")
    market: list[str] = Field([], description="what competitors do, as the writer was told: without names")
    refused: list[Refused]
    self_bleu: float | None = Field(None, description="of the choices among each other, 0 to 100; lower is more varied")
    impressions: list[dict[str, Any]] = Field(
        [],
        description="for each choice what a response model may read of it (artifacts/impression.py): with what the shopper did, a row to "
        "train one on",
    )


class VoiceOut(_Message):
    """A brand voice that may be asked for. `fault` says why its adapter, or all of it, is not used."""

    name: str
    version: str
    adapter: bool
    says: dict[str, str]
    fault: str = ""


class CopyAnswer(_Message):
    """Choices best first. `degraded` names every stage that this answer had to do without."""

    event_id: str
    request_id: str
    locale: Locale
    channel: ChannelName
    chosen: str
    choices: list[Choice]
    products: list[ProductOut]
    personalised: bool
    jurisdictions: dict[str, str] = Field(description="whose rules were applied, with their version")
    degraded: list[str]
    notices: list[Notice]
    versions: dict[str, str]
    usage: Usage
    timings_ms: dict[str, float]
    label: str = "AI-generated"
    explanation: Explanation | None = None
