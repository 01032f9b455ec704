"""Of several texts for one prompt, the one nearest to the others: minimum Bayes risk decoding (Kumar and Byrne 2004; Eikema and Aziz 2020).

The utility is the mean F1 of character n-grams, n from 1 to 4; it reads no reference.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_ORDERS = (1, 2, 3, 4)


def nearest(texts: Sequence[str]) -> int:
    """The number of the text that has the most in common with all. Raises ValueError where there is none."""
    if not texts:
        raise ValueError("no text to choose from; sample at least one")
    return int(np.mean([overlap(texts, order) for order in _ORDERS], axis=0).mean(1).argmax())


def overlap(texts: Sequence[str], order: int) -> NDArray[np.float64]:
    """(texts, texts): F1 of the n-grams of each two."""
    counts = [Counter(text[begin : begin + order] for begin in range(len(text) - order + 1)) for text in texts]
    places = {gram: place for place, gram in enumerate({gram for count in counts for gram in count})}
    table = np.zeros((len(texts), len(places) + 1))
    for row, count in enumerate(counts):
        for gram, number in count.items():
            table[row, places[gram]] = number
    shared = np.stack([np.minimum(table, row).sum(1) for row in table])
    totals = table.sum(1)
    return np.asarray(2 * shared / np.maximum(1, totals[:, None] + totals[None, :]))
