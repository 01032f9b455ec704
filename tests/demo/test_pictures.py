"""The drawn pictures: every kind, every look, the same bytes from the same seed."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from copywriting.taxonomy import VERTICALS
from demo.drawing import SHAPES
from demo.drawing.patterns import PATTERNS
from demo.drawing.settings import SUITS
from demo.merchandise import COLOURS as SOLD_COLOURS
from demo.merchandise import PATTERNS as SOLD_PATTERNS
from demo.pictures import COLOURS, VIEWS, draw, render_product, setting_of

_KINDS = [kind for kinds in VERTICALS.values() for kind in kinds]


def _pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.int16)


def test_every_kind_of_the_taxonomy_has_a_shape_and_no_other():
    assert sorted(SHAPES) == sorted(_KINDS)
    assert len(set(SHAPES.values())) == 60
    assert sorted(SUITS) == sorted(VERTICALS)


def test_the_catalogue_sells_the_colours_and_patterns_that_can_be_drawn():
    assert set(SOLD_COLOURS) == set(COLOURS) and set(SOLD_PATTERNS) == set(PATTERNS)


@pytest.mark.parametrize("view", ["front", "scene"])
def test_all_sixty_shapes_are_distinct(view):
    drawn = {shape: _pixels(draw(shape, "red", "plain", view, 3, 48)) for shape in SHAPES}
    differing = {(a, b): (np.abs(drawn[a] - drawn[b]).max(axis=2) > 60).mean() for a, b in combinations(drawn, 2)}
    closest = min(differing, key=differing.__getitem__)
    assert differing[closest] > 0.05, closest  # of all pixels


def test_three_views_are_written_small_and_square(tmp_path):
    paths = render_product("dresses", "red", "stripes", tmp_path / "media", "dress-1", 11)
    assert [path.name for path in paths] == ["dress-1-front.png", "dress-1-detail.png", "dress-1-scene.png"]
    for path in paths:
        assert Image.open(path).size == (224, 224)
        assert path.stat().st_size < 12_000


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path):
    first, again, other = (
        [path.read_bytes() for path in render_product("plush", "brown", "dots", tmp_path / name, "bear", seed)]
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert first == again
    assert all(one != another for one, another in zip(first, other, strict=True))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_product_is_seen_in_its_colour(colour):
    picture = _pixels(draw("bath", colour, "plain", "detail", 2, 48)).reshape(-1, 3)
    near = np.abs(picture - np.array(COLOURS[colour])).max(axis=1) < 24
    assert near.mean() > 0.15


def test_patterns_change_the_body_only():
    plain, dotted = (_pixels(draw("storage", "blue", pattern, "front", 4, 96)) for pattern in ("plain", "dots"))
    changed = np.abs(plain - dotted).max(axis=2) > 30
    assert 0.03 < changed.mean() < 0.4
    assert not changed[:8].any() and not changed[-8:].any()


def test_a_white_product_stands_out_from_the_wall():
    picture = _pixels(draw("puzzles", "white", "plain", "front", 1, 96))
    wall = picture[2, 2]
    assert (np.abs(picture - wall).max(axis=2) > 50).mean() > 0.01  # its rim


def test_a_setting_suits_its_vertical():
    assert {setting_of("camping", seed) for seed in range(20)} == set(SUITS["sport"])


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("sofa", "red", "plain", "front"), "shape = 'sofa'"),
        (("tea", "mauve", "plain", "front"), "colour = 'mauve'"),
        (("tea", "red", "paisley", "front"), "pattern = 'paisley'"),
        (("tea", "red", "plain", "above"), "view = 'above'"),
    ],
)
def test_an_unknown_word_is_refused_with_the_known_ones(words, named):
    with pytest.raises(ValueError, match=named):
        draw(*words, seed=1)


def test_views_are_three():
    assert VIEWS == ("front", "detail", "scene")
    assert isinstance(draw("tea", "red", "plain", "front", 1), Image.Image)


def test_the_directory_is_made(tmp_path: Path):
    assert all(path.is_file() for path in render_product("tea", "cream", "leaves", tmp_path / "a" / "b", "cup", 1))
