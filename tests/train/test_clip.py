"""A CLIP run in miniature: two workers, coloured squares."""

import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from artifacts.card import verify, write_card
from multimodal.clip import ClipModel, read_calibration
from multimodal.fusion import Calibration
from train import clip
from train.job import launch
from train.pictures.captions import read_pictures
from train.pictures.clip_config import ClipConfig
from train.pictures.clip_loss import Contrast
from train.pictures.clip_start import begin

_COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色", "black": "黑色"}


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> Path:
    """Forty squares in four colours, named in both languages."""
    directory = tmp_path_factory.mktemp("squares")
    rows = []
    for number, (colour, chinese) in product(range(10), _COLOURS.items()):
        name = f"{colour}-{number}.png"
        Image.new("RGB", (40, 40), colour).save(directory / name)
        side = "held_out" if number == 0 else "train"
        rows += [{"image": name, "text": text, "split": side, "product": name} for text in (f"a {colour} square", f"{chinese}方块")]
    pq.write_table(pa.Table.from_pylist(rows), directory / "pictures.parquet")
    return directory


@pytest.fixture
def config(squares, tokenizer_directory, tmp_path) -> ClipConfig:
    sizes = {
        "image_size": 32,
        "embed_dim": 16,
        "vision_width": 2,
        "text_width": 16,
        "text_layers": 1,
        "head_width": 8,
        "context_length": 12,
    }
    run = {"workers": 2, "threads_per_worker": 1, "batch_size": 8, "epochs": 2, "precision": "fp32", "max_failures": 0}
    paths = {"out": tmp_path / "clip", "storage": str(tmp_path / "runs"), "data": squares, "tokenizer": tokenizer_directory}
    return ClipConfig(name="tiny", **sizes, **run, **paths)


def test_every_text_ends_with_the_end_token_also_when_cut(config):
    start = begin(config)
    tokens = start.tokens(["red", "a very long text about a red square " * 9])
    end = start.described["model_cfg"]["text_cfg"]["eos_id"]
    assert tokens.shape == (2, 12)
    assert (tokens == end).any(dim=1).all() and tokens[1, -1] == end


def test_an_export_loads_and_encodes_as_the_model_did(config, tmp_path):
    torch.manual_seed(0)
    start = begin(config)
    training, held_out = read_pictures(config.data, 0.1, 0)
    rows = {text: start.tokens([text])[0] for picture in (*training, *held_out) for _, text in picture.texts}
    start.model.eval()
    clip.export(start.model, tmp_path / "out", start=start, rows=rows, pictures=held_out, contrast=Contrast())
    write_card(tmp_path / "out", kind="clip", name="x", command="pytest", seed=0)
    loaded = ClipModel(tmp_path / "out")
    pairs = [(picture, picture.texts[0][1]) for picture in held_out]
    with torch.no_grad():
        images, texts = clip.embed(start.model, start, rows, pairs)
    assert np.allclose(loaded.encode_images([picture.path for picture, _ in pairs]), images, atol=0.02)  # fp16
    assert np.allclose(loaded.encode_texts([text for _, text in pairs]), texts, atol=0.02)
    assert isinstance(loaded.calibration, Calibration) and loaded.calibration.sharpness == pytest.approx(1 / 0.07, rel=0.01)


def test_few_held_out_pictures_are_enough_to_calibrate(config, tmp_path):
    start = begin(config)
    _, held_out = read_pictures(config.data, 0.1, 0)
    few = held_out[:2]
    rows = {text: start.tokens([text])[0] for picture in few for _, text in picture.texts}
    one_text_each = [replace(picture, texts=picture.texts[:1]) for picture in few]
    clip.export(start.model.eval(), tmp_path / "out", start=start, rows=rows, pictures=one_text_each, contrast=Contrast())
    assert np.isfinite(read_calibration(tmp_path / "out").midpoint)


@pytest.mark.ray
def test_two_workers_leave_a_model_that_serving_loads_and_training_goes_on_from(ray_cluster, config, tmp_path):
    card = launch(clip.loop, config, kind="clip", data=[config.data])
    assert verify(config.out, "clip") == card
    assert {"top1_zh", "top1_en", "held_out_loss", "before_held_out_loss"} <= card.metrics.keys()
    assert ClipModel(config.out).encode_texts(["a red square"]).shape == (1, 16)
    described = (config.local_runs / str(card.config["run"]) / "report" / "data_card.md").read_text(encoding="utf-8")
    assert "pictures, " in described and "| nearly the same" in described
    base = Path(shutil.copytree(config.out, tmp_path / "base"))
    again = config.model_copy(
        update={"base": base, "tokenizer": None, "out": tmp_path / "tuned", "loss": "siglip", "epochs": 3, "workers": 0, "batch_size": 16}
    )
    tuned = launch(clip.loop, again, kind="clip", data=[again.data])
    assert [tuned.metrics[f"before_top1_{language}"] for language in ("zh", "en")] == pytest.approx(
        [card.metrics[f"top1_{language}"] for language in ("zh", "en")], abs=0.26
    )
    assert tuned.metrics["held_out_loss"] < tuned.metrics["before_held_out_loss"]
    assert ClipModel(again.out).version != card.version
