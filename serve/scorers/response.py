"""How likely a shopper answers each piece of copy: the response model that `python -m train.response` made.

It computes in the process that asks, with NumPy: a millisecond for eight pieces (`python -m benchmarks.scoring`) needs no replica of its
own. It reads what the other scorers said, so it comes after them.
"""

from collections.abc import Sequence
from pathlib import Path

from artifacts.impression import COLUMNS
from artifacts.live import Live
from artifacts.response import ResponseModel
from artifacts.response_features import ResponseError
from serve.errors import StageUnavailable
from serve.exchange import ResponseScore, Scored, Serving
from serve.impressions import Impression

_TRIAL: Impression = {
    "locale": "en-GB", "hour": 9, "weekday": 0, "age_band": "25-34", "gender": "female", "interests": ["food"], "affinity": 0.5,
    "product_id": "tea", "brand": None, "vertical": "food", "kind": "tea", "price_level": 0.5, "discount": 0.2, "rating": 4.5,
    "channel": "email", "tone": "warm", "occasion": "everyday", "principles": ["value"], "persuasion": 0.6, "sentiment": 0.7,
    "image_fit": 0.5, "characters": 40,
}  # fmt: skip


def opened(directory: Path) -> ResponseModel:
    """A verified model that has scored. Raises ArtifactError where it doesn't match its card, ValueError where it reads columns that the
    graph doesn't know, or reads them as something else than they hold, or foretells what always or never happens."""
    model = ResponseModel.read(directory)
    if unknown := [name for name in model.encoding.columns if name not in COLUMNS]:
        raise ValueError(
            f"response model: {str(directory)!r} reads {unknown}, which the graph does not know; train it with "
            f"--set features=served, on columns out of {list(COLUMNS)} (artifacts/impression.py says what they mean)"
        )
    lists = {each.name for each in model.encoding.lists}
    if mistaken := [name for name in model.encoding.columns if isinstance(_TRIAL[name], list) != (name in lists)]:
        held = "a list of names" if isinstance(_TRIAL[mistaken[0]], list) else "one value"
        raise ValueError(
            f"response model: {str(directory)!r} mistakes {mistaken[0]!r}, which is {held} in the graph; train it on such a column"
        )
    (chance,) = model.probability([_TRIAL])
    if not (0 < model.rate < 1 and 0 <= chance <= 1):
        raise ValueError(
            f"response model: {str(directory)!r} says {model.outcome} happens with a rate of {model.rate}, and with a chance of {chance} "
            "in an example; both must lie between 0 and 1: train it again"
        )
    return model


class ResponseScorer:
    """The model that serves, and its successor where `model` names a registry."""

    def __init__(self, model: str) -> None:
        self._live = Live(Path(model), opened).follow()

    async def score(self, rows: Sequence[Impression]) -> Scored[ResponseScore]:
        """(n,) impressions → n scores. Raises StageUnavailable for rows that the model can't read."""
        model = self._live.get()
        try:
            chances = model.probability(rows).tolist()
        except ResponseError as error:
            raise StageUnavailable("response", str(error)) from error
        return Scored([ResponseScore(model.outcome, chance, model.rate) for chance in chances], model.version)

    def serving(self) -> Serving:
        """Which version serves, and why another does not."""
        return Serving(self._live.get().version, self._live.refused)
