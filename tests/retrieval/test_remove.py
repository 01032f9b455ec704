"""Deleted products: gone from every kind of recommendation, in every reader of the index, at once."""

import pytest

from artifacts.versions import Live, publish
from copywriting.shopper import anonymous
from retrieval.build import build_index
from retrieval.recommend import Recommender
from retrieval.remove import main
from tests.fakes import NOW, make_shop


@pytest.fixture
def paths(tmp_path):
    shop = make_shop(tmp_path / "shop")
    build_index(shop, tmp_path / "index", now=NOW, quiet=True)
    return shop, tmp_path / "index"


def ids(ranked) -> set[str]:
    return {one.product.product_id for one in ranked}


def test_a_removed_product_is_gone_from_search_likeness_and_popularity(paths, capsys):
    reader = Recommender(*paths)
    assert "oolong" in ids(reader.for_query("oolong tea", "en-US", 20))
    assert main([str(paths[0]), str(paths[1]), "oolong"]) == 0
    assert "1 product(s) are no longer recommended" in capsys.readouterr().out
    reader.refresh()
    for ranked in (
        reader.for_query("oolong tea", "en-US", 20),
        reader.similar("longjing", "en-US", 20),
        reader.popular("en-US", 20),
        reader.for_shopper(anonymous("en-US"), "en-US", 20),
    ):
        assert "oolong" not in ids(ranked)
        assert "puer" in ids(ranked)
    assert "oolong" not in ids(Recommender(*paths).popular("en-US", 20)), "a new replica knows too"


def test_an_unknown_product_is_named_and_nothing_is_removed(paths, capsys):
    assert main([str(paths[0]), str(paths[1]), "oolong", "nothing"]) == 1
    assert "'nothing'" in capsys.readouterr().err
    assert "oolong" in ids(Recommender(*paths).popular("en-US", 20))


def test_a_published_index_takes_over_in_a_replica_that_runs(paths, tmp_path):
    shop, built = paths
    publish(tmp_path / "live", built)
    clock = iter(range(100))
    replica = Live(tmp_path / "live", lambda directory: Recommender(shop, directory), Recommender.refresh, 0, lambda: next(clock))
    first = replica.get().card.version
    card = build_index(shop, tmp_path / "newer", dim=8, now=NOW, quiet=True)
    publish(tmp_path / "live", tmp_path / "newer")
    assert replica.get().card.version == card.version != first
    assert ids(replica.get().popular("en-US", 3))
