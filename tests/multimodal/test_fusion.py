"""Which picture goes with which copy: logic over made-up embeddings."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from multimodal.fusion import Calibration, ImageMatcher, calibrate, fuse
from multimodal.media import MediaError

_CALIBRATION = Calibration(slope=20.0, midpoint=0.5, sharpness=50.0)


def _units(*rows: Sequence[float]) -> np.ndarray:
    array = np.array(rows, dtype=np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


class CountingEncoder:
    """Embeds a picture by the first byte of its file; a file that begins with `x` is broken."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def __call__(self, paths: Sequence[Path]) -> np.ndarray:
        rows = []
        for path in paths:
            content = path.read_text()
            if content.startswith("x"):
                raise MediaError(f"{path}: broken")
            self.encoded.append(path.name)
            rows.append({"a": (1, 0, 0), "b": (0, 1, 0), "c": (0, 0, 1)}[content[0]])
        return _units(*rows)


def _write(directory: Path, **contents: str) -> list[Path]:
    paths = [directory / f"{name}.png" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_text(content)
    return paths


def test_each_copy_gets_its_nearest_picture():
    texts, images = _units((1, 0.1, 0), (0, 1, 0.2)), _units((1, 0, 0), (0, 1, 0))
    first, second = fuse(texts, images, ["one", "two"], _CALIBRATION)
    assert (first.image, second.image) == ("one", "two")
    assert first.cosine == pytest.approx(0.995, abs=1e-3)


def test_fit_is_between_0_and_1_and_rises_with_the_cosine():
    image = _units((1, 0))
    fits = [fuse(_units((np.cos(a), np.sin(a))), image, ["p"], _CALIBRATION)[0].fit for a in np.linspace(np.pi, 0, 9)]
    assert all(0 <= fit <= 1 for fit in fits)
    assert fits == sorted(fits)
    assert fits[0] < 0.01 and fits[-1] > 0.99


def test_equal_pictures_do_not_dilute_each_other():
    text, one = _units((1, 0.3)), _units((1, 0))
    alone = fuse(text, one, ["p"], _CALIBRATION)[0].fit
    thrice = fuse(text, np.repeat(one, 3, axis=0), ["p", "q", "r"], _CALIBRATION)[0].fit
    assert thrice == pytest.approx(alone)


def test_a_bad_picture_hardly_lowers_a_good_one():
    text = _units((1, 0))
    good = fuse(text, _units((1, 0)), ["p"], _CALIBRATION)[0].fit
    beside = fuse(text, _units((1, 0), (0, 1)), ["p", "q"], _CALIBRATION)[0].fit
    assert beside == pytest.approx(good, abs=1e-3)


def test_no_picture_is_refused():
    with pytest.raises(ValueError, match="0 image embeddings for 0 pictures"):
        fuse(_units((1, 0)), np.empty((0, 2), dtype=np.float32), [], _CALIBRATION)


def test_calibration_puts_the_midpoint_between_matches_and_others():
    rng = np.random.default_rng(0)
    matching, others = rng.normal(0.7, 0.1, 2000), rng.normal(0.2, 0.1, 500)
    found = calibrate(matching, others, sharpness=30.0)
    assert found.midpoint == pytest.approx(0.45, abs=0.02)  # as if both were equally many
    assert found.slope == pytest.approx(50, rel=0.15)  # difference of means over the variance
    assert found.sharpness == 30.0


def test_calibration_of_perfectly_separated_cosines_is_finite():
    found = calibrate(np.full(10, 0.9), np.full(10, 0.1), sharpness=10.0)
    assert 0.4 < found.midpoint < 0.6 and np.isfinite(found.slope)


def test_a_model_that_learnt_the_opposite_does_not_reward_mismatches():
    assert calibrate(np.full(10, 0.1), np.full(10, 0.9), sharpness=10.0).slope > 0


def test_pictures_are_encoded_once_and_again_when_the_file_changes(tmp_path):
    encoder = CountingEncoder()
    matcher = ImageMatcher(encoder, _CALIBRATION)
    paths = _write(tmp_path, one="a", two="b")
    assert matcher.match(_units((1, 0, 0)), paths).fits[0].image.endswith("one.png")
    matcher.match(_units((0, 1, 0)), paths)
    assert encoder.encoded == ["one.png", "two.png"]
    paths[0].write_text("c")
    os.utime(paths[0], ns=(1, 1))
    assert matcher.match(_units((0, 0, 1)), paths).fits[0].image.endswith("one.png")
    assert encoder.encoded == ["one.png", "two.png", "one.png"]


def test_the_least_recently_used_embedding_leaves_first(tmp_path):
    encoder = CountingEncoder()
    matcher = ImageMatcher(encoder, _CALIBRATION, capacity=2)
    one, two, three = _write(tmp_path, one="a", two="b", three="c")
    text = _units((1, 0, 0))
    for path in (one, two, one, three, one, two):
        matcher.match(text, [path])
    assert encoder.encoded == ["one.png", "two.png", "three.png", "two.png"]


def test_unreadable_pictures_are_passed_over_and_listed(tmp_path):
    broken, good = _write(tmp_path, broken="x", good="a")
    fusion = ImageMatcher(CountingEncoder(), _CALIBRATION).match(_units((1, 0, 0)), [tmp_path / "gone.png", broken, good])
    assert fusion.fits[0].image == str(good)
    assert "gone.png" in fusion.unreadable[0] and "broken.png" in fusion.unreadable[1]


def test_a_product_without_a_readable_picture_is_an_error(tmp_path):
    matcher = ImageMatcher(CountingEncoder(), _CALIBRATION)
    with pytest.raises(MediaError, match=r"gone\.png"):
        matcher.match(_units((1, 0, 0)), [tmp_path / "gone.png"])
    with pytest.raises(MediaError, match="no pictures"):
        matcher.match(_units((1, 0, 0)), [])
