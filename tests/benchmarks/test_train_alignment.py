"""How texts before and after alignment are judged."""

from random import Random

import numpy as np
import pytest

from benchmarks import train_alignment
from benchmarks.train_alignment import TEXTS, judged
from train.texts.examples import random_brief


class Longer:
    """A reward for length."""

    def __init__(self, _directory):
        pass

    def __call__(self, texts):
        return [len(text) / 10 for text in texts]


@pytest.fixture(autouse=True)
def reward(monkeypatch):
    monkeypatch.setattr(train_alignment, "Persuasiveness", Longer)


def test_a_text_is_judged_filled_and_by_the_grammar_of_its_own_brief():
    briefs = [random_brief(Random(2), "en"), random_brief(Random(2), "zh")]
    fine = "\n".join("{name}" for _ in briefs[0].channel.parts)
    texts = [fine, fine, "在", fine + "\none part more", *["在\n" * (len(briefs[1].channel.parts) - 1) + "在"] * TEXTS]
    found = judged(texts, briefs)
    assert found.metrics["lawful"].tolist() == [100, 100, 0, 0, 100, 100, 100, 100]
    assert found.clusters.tolist() == [0] * TEXTS + [1] * TEXTS
    assert found.metrics["persuasive"][0] > 100 / (1 + np.exp(-0.1)), "slots are filled before a text is judged"
    assert found.figures(np.array([0, 2]))["lawful"] == 50
    assert found.metrics["characters"][2] == 1
