"""What `retrieval/build.py` promises, one behaviour a test."""

import sys

import pytest

from artifacts.card import ArtifactError, sha256_of, verify
from retrieval import tables
from retrieval.build import build_index, main
from retrieval.index import VectorIndex
from tests.fakes import NOW, make_shop, shelf
from tests.models import make_bert


def test_an_index_is_complete_and_says_what_it_was_made_of(tmp_path):
    shop = make_shop(tmp_path / "shop")
    card = build_index(shop, tmp_path / "index", dim=6, seed=5, now=NOW, quiet=True)
    assert verify(tmp_path / "index", "index") == card
    assert card.metrics == {"products": 12, "shoppers": 1, "passages": 0}
    assert card.data_hash == sha256_of(tables.path_of(shop, "products"))
    assert (card.seed, card.config["dim"]) == (5, 6)
    assert card.command.endswith("--encoder lsa --dim 6 --seed 5")
    assert len(VectorIndex.open(tmp_path / "index" / "products.faiss")) == 12


def test_building_again_replaces_what_was_there_with_the_same(tmp_path):
    shop, out = make_shop(tmp_path / "shop"), tmp_path / "index"
    version = build_index(shop, out, now=NOW, quiet=True).version
    (out / "left over").write_text("x")
    assert build_index(shop, out, now=NOW, quiet=True).version == version
    verify(out, "index")
    assert {path.name for path in tmp_path.iterdir()} == {"shop", "index"}


def test_a_failed_build_leaves_the_old_index(tmp_path):
    shop, out = make_shop(tmp_path / "shop"), tmp_path / "index"
    card = build_index(shop, out, now=NOW, quiet=True)
    make_shop(shop, products=[])
    with pytest.raises(tables.TableError, match="the catalogue is empty"):
        build_index(shop, out, now=NOW, quiet=True)
    assert verify(out, "index") == card


def test_nothing_but_an_older_index_is_replaced_and_never_the_shop(tmp_path):
    shop = make_shop(tmp_path / "shop")
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    for out in (shop, tmp_path):
        with pytest.raises(ArtifactError, match=r"would replace .*, which it is made from"):
            build_index(shop, out, now=NOW, quiet=True)
    other = make_shop(tmp_path / "other")
    with pytest.raises(ArtifactError, match=r"other': holds files but no card\.json and would be deleted"):
        build_index(shop, other, now=NOW, quiet=True)
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"shop", "other"}


@pytest.mark.parametrize("tables_there", [{}, {"shoppers": []}, {"events": []}, {"shoppers": [], "events": []}])
def test_a_shop_without_shoppers_or_events_gives_an_index_of_products(tmp_path, tables_there):
    shop = make_shop(tmp_path / "shop", **({"shoppers": None, "events": None} | tables_there))
    assert build_index(shop, tmp_path / "index", now=NOW, quiet=True).metrics == {"products": 12, "shoppers": 0, "passages": 0}


def test_a_pretrained_encoder_may_take_the_place_of_lsa(tmp_path):
    shop, bert = make_shop(tmp_path / "shop", shelf()[:4]), make_bert(tmp_path / "bert")
    card = build_index(shop, tmp_path / "index", encoder=str(bert), now=NOW, quiet=True)
    assert card.config == {"encoder": str(bert), "dim": 16, "index": "flat"}


def test_the_command_line_tells_what_is_wrong_instead_of_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["build", str(tmp_path / "nowhere"), str(tmp_path / "index")])
    with pytest.raises(SystemExit, match=r"error: .*nowhere/products\.parquet: no such table; make it with"):
        main()
