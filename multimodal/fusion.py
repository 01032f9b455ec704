"""Which of a product's pictures goes with which copy, and how well: logic over embeddings, for any model that makes them.

The fit of a copy with a product's pictures, between 0 and 1, has two factors per picture i with cosine c_i to the copy:

    choice_i   = softmax(sharpness · c)_i            how much better picture i suits this copy than the product's other pictures
    match_i    = sigmoid(slope · (c_i − midpoint))   how likely a picture with this cosine belongs to the copy at all (Platt scaling)
    fit        = Σ choice_i · match_i                a soft maximum: equal pictures don't dilute each other, one good picture carries

A cosine alone says little: published CLIPs give 0.3 for a match and 0.15 for none, our small one 0.7 and 0.1. Calibration is fitted on
held-out pairs by `train.clip` and travels with the model. What is compared is the filled text, as the shopper reads it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from multimodal.media import MediaError

Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How cosines of one model are read. The default suits OpenAI's and LAION's CLIPs roughly; a model directory brings its own."""

    slope: float = 40.0
    midpoint: float = 0.22
    sharpness: float = 100.0
    """The model's trained logit scale."""


@dataclass(frozen=True, slots=True)
class ImageFit:
    """A copy's best picture, `fit` in [0, 1] and the bare cosine to that picture."""

    image: str
    fit: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Fusion:
    """One ImageFit per copy, in order. `unreadable` lists pictures that were passed over, with the reason: shown as degraded."""

    fits: tuple[ImageFit, ...]
    unreadable: tuple[str, ...] = ()


def fuse(texts: Embeddings, images: Embeddings, paths: Sequence[str], calibration: Calibration) -> tuple[ImageFit, ...]:
    """texts: (n, d), images: (m, d), both normalised; paths: the m pictures. Raises ValueError where there is no picture."""
    if not len(images) or len(images) != len(paths):
        raise ValueError(f"{len(images)} image embeddings for {len(paths)} pictures; give one each and at least one")
    cosines = (texts @ images.T).astype(np.float64)
    weights = np.exp(calibration.sharpness * (cosines - cosines.max(axis=1, keepdims=True)))
    choice = weights / weights.sum(axis=1, keepdims=True)
    match = 1 / (1 + np.exp(-calibration.slope * (cosines - calibration.midpoint)))
    fits = (choice * match).sum(axis=1)
    best = cosines.argmax(axis=1)
    return tuple(ImageFit(paths[i], float(fit), float(row[i])) for i, fit, row in zip(best, fits, cosines, strict=True))


def calibrate(matching: npt.NDArray[np.float64], others: npt.NDArray[np.float64], sharpness: float) -> Calibration:
    """Platt scaling: slope and midpoint that best tell cosines of pairs that belong together from cosines of pairs that don't.

    Both weigh the same however many there are. Newton's method on the logistic loss, with a light pull on the slope so that perfectly
    separated cosines stay finite. matching: (a,), others: (b,), neither empty.
    """
    cosines = np.concatenate([matching, others])
    target = np.concatenate([np.ones(len(matching)), np.zeros(len(others))])
    weight = np.concatenate([np.full(len(matching), 0.5 / len(matching)), np.full(len(others), 0.5 / len(others))])
    design = np.stack([cosines, np.ones_like(cosines)], axis=1)
    solution = np.zeros(2)
    pull = np.diag([1e-7, 1e-9])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ solution))
        gradient = design.T @ (weight * (chance - target)) + pull @ solution
        curvature = (design * (weight * chance * (1 - chance))[:, None]).T @ design + pull
        step = np.linalg.solve(curvature, gradient)
        solution -= step * min(1.0, 10.0 / float(np.abs(step).max() + 1e-12))
    slope = max(float(solution[0]), 1e-3)  # a model that learnt nothing must not reward mismatches
    return Calibration(slope=slope, midpoint=-float(solution[1]) / slope, sharpness=sharpness)


class ImageMatcher:
    """Finds each copy's best picture among a product's. Embeddings of pictures are kept, least recently used leave first; a file that
    changed (by its modification time) is encoded again. Safe to call from several threads."""

    def __init__(self, encode_images: Callable[[Sequence[Path]], Embeddings], calibration: Calibration, capacity: int = 10_000) -> None:
        self._encode_images = encode_images
        self._calibration = calibration
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, int], npt.NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def match(self, texts: Embeddings, paths: Sequence[str | Path]) -> Fusion:
        """texts: (n, d), normalised. Pictures that can't be read are passed over and listed; raises MediaError where none can."""
        rows: list[npt.NDArray[np.float32]] = []
        readable: list[str] = []
        unreadable: list[str] = []
        for path in map(Path, paths):
            try:
                rows.append(self._embedding(path))
                readable.append(str(path))
            except MediaError as error:
                unreadable.append(str(error))
        if not readable:
            raise MediaError("; ".join(unreadable) or "the product has no pictures; add paths to its images")
        return Fusion(fuse(texts, np.stack(rows), readable, self._calibration), tuple(unreadable))

    def _embedding(self, path: Path) -> npt.NDArray[np.float32]:
        """One picture's embedding, kept or made now. Encoding is outside the lock: two threads may do it twice, neither waits."""
        try:
            key = (str(path), path.stat().st_mtime_ns)
        except OSError as error:
            raise MediaError(f"{path}: no such picture ({error.strerror}); put the file there or correct the product's images") from error
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        row: npt.NDArray[np.float32] = self._encode_images([path])[0]
        with self._lock:
            self._kept[key] = row
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return row
