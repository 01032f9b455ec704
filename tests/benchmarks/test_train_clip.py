"""How the benchmark of `train.clip` counts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.train_clip import CUTS, Examination, Named, Retrieved, histogram, places
from train.pictures.captions import Picture, PictureColumns, Sides, Source, read_sides

_TYPES = ("Shirts", "Shoes")


@pytest.fixture
def sides(tmp_path) -> Sides:
    """Red shirts and blue shoes, twenty of each in the table, two pictures to a title."""
    lines = ["id\ttitle\tarticleType\tbaseColour"]
    for number in range(40):
        kind, colour = (_TYPES[number % 2], ("Red", "Blue")[number % 2])
        Image.new("RGB", (8, 8), colour.lower()).save(tmp_path / f"{number}.png")
        lines.append(f"{number}\tMaker{number // 4} {colour} {kind}\t{kind}\t{colour}")
    (tmp_path / "products.tsv").write_text("\n".join(lines) + "\n")
    columns = PictureColumns(image="id", text="title", group="title")
    return read_sides(Source(tmp_path / "products.tsv", None, ".png", columns, held_out=0.2, tested=0.4))


def test_the_place_is_that_of_the_best_right_answer_and_ties_go_by_lot():
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]])
    right = np.array([[True, False, True], [False, False, True]])
    assert places(scores, right).tolist() == [1, 2]
    tied = places(np.zeros((4000, 4)), np.eye(4, dtype=bool)[np.zeros(4000, dtype=int)])
    assert np.bincount(tied) / 4000 == pytest.approx([0.25] * 4, abs=0.03)


def test_recall_and_weighted_f1_are_what_their_names_say():
    sitting = Retrieved(np.array([0, 3, 4, 12]), np.arange(4))
    assert sitting.figures(np.arange(4)) == {"recall_1": 0.25, "recall_5": 0.75, "recall_10": 0.75}
    named = Named(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.arange(4)).figures(np.arange(4))
    assert named == {"accuracy": 0.75, "weighted_f1": pytest.approx((0.8 + 2 / 3) / 2)}


def test_a_histogram_tells_colours_apart(tmp_path):
    for name in ("red", "blue"):
        Image.new("RGB", (4, 4), name).save(tmp_path / f"{name}.png")
    red, blue = (histogram(Picture(Path(tmp_path / f"{name}.png"), name, ())) for name in ("red", "blue"))
    assert red @ red == pytest.approx(1) and red @ blue == 0


def test_baselines_know_what_they_are_given_and_chance_is_that_of_a_random_order(sides, tmp_path):
    exam = Examination(sides, tmp_path / "products.tsv")
    every = np.arange(len(exam.typed))
    assert exam.types == list(_TYPES) and len(exam.typed) == len(sides.test)
    assert exam.colour()["type"].figures(every) == {"accuracy": 1.0, "weighted_f1": 1.0}
    assert exam.words()["type"].figures(every) == {"accuracy": 1.0, "weighted_f1": 1.0}
    lots = np.random.default_rng(1).random((400, *exam.right.shape))
    drawn = [exam.retrieval(each, each.T) for each in lots]
    for way in ("title_to_image", "image_to_title"):
        found = [sat[way].figures(np.arange(len(sat[way].clusters))) for sat in drawn]
        expected = [exam.chance()[f"chance_{way}_recall_{cut}"] for cut in CUTS]
        assert [np.mean([each[f"recall_{cut}"] for each in found]) for cut in CUTS] == pytest.approx(expected, abs=0.03)
