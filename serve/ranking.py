"""From scores to an order: a weighted utility, then diversity so that the second choice is not the first again.

A text that answers a doubt of the shopper's with a proved fact counts a little more. What a response model foretells, where one serves,
counts three times as much as the other scores together: it alone has seen what shoppers did (`python -m benchmarks.choice`). Choice
policies are not here: the first of the order is chosen, with probability 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from copywriting.concerns import Answer
from copywriting.variety import overlap, trigrams
from serve.exchange import ImageMatch, PersuasionScore, ResponseScore, SentimentScore

WEIGHTS = {"persuasion": 0.125, "sentiment": 0.075, "image_fit": 0.05, "response": 0.75}
DIVERSITY = 0.3
ANSWERED, MOST_ANSWERED = 0.05, 0.1
"""What each answered doubt adds to the utility, and all of them at most: less than what sets good copy apart from poor."""
_SOBER_TONES = ("plain", "expert")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything known about one candidate; a stage that did not answer left None."""

    persuasion: PersuasionScore | None
    sentiment: SentimentScore | None
    image: ImageMatch | None
    mood_fit: float | None
    utility: float
    answers: tuple[Answer, ...] = ()
    response: ResponseScore | None = None
    impression: Mapping[str, object] = field(default_factory=dict)
    """What a response model may read of it."""


def mood_fit(score: SentimentScore, tone: str, intent: str | None) -> float:
    """How well the mood suits: sober tones and answers to a complaint need only not be negative, others should be positive."""
    if tone in _SOBER_TONES or intent == "complaint":
        return 1 - score.negative
    return score.positive + score.neutral / 2


def judge(
    persuasion: PersuasionScore | None,
    sentiment: SentimentScore | None,
    image: ImageMatch | None,
    tone: str,
    intent: str | None,
    answers: Sequence[Answer] = (),
    response: ResponseScore | None = None,
    impression: Mapping[str, object] | None = None,
) -> Judgement:
    """Utility in [0, 1]: the weighted mean of the scores that are there, 0.5 where none is, and a little for every doubt answered. Of the
    response it is the lift that counts, since what is said at a good hour is likelier to be answered whatever it says."""
    fit = mood_fit(sentiment, tone, intent) if sentiment else None
    scores = {
        "persuasion": persuasion.persuasive if persuasion else None,
        "sentiment": fit,
        "image_fit": image.fit if image else None,
        "response": response.lift if response else None,
    }
    present = {name: value for name, value in scores.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in present)
    utility = sum(WEIGHTS[name] * value for name, value in present.items()) / weight if present else 0.5
    utility = min(1.0, utility + min(MOST_ANSWERED, ANSWERED * len(answers)))
    return Judgement(persuasion, sentiment, image, fit, utility, tuple(answers), response, impression or {})


def order(texts: Sequence[str], utilities: Sequence[float], n: int) -> list[int]:
    """Indices of at most n texts, best first, by maximal marginal relevance (Carbonell & Goldstein 1998) over character trigrams."""
    grams = [trigrams(text) for text in texts]
    chosen: list[int] = []
    left = set(range(len(texts)))
    while left and len(chosen) < n:
        best = max(sorted(left), key=lambda i: utilities[i] - DIVERSITY * max((overlap(grams[i], grams[j]) for j in chosen), default=0.0))
        chosen.append(best)
        left.remove(best)
    return chosen
