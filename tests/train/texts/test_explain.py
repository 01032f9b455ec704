"""Token weights: the word that decides has the highest, they add up, and the text can be put together from its pieces."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tests import commands
from train.reports.explanation import Explanation, Piece, coloured, marked, page
from train.texts import classifier
from train.texts.attribution import Explainer, merged, ngram_weights
from train.texts.classifier import ClassifierConfig, encode
from train.texts.ngrams import NgramClassifier
from train.texts.vocabulary import train_reader

ROOT = Path(__file__).parents[3]
WORDS = ("the", "box", "shop", "came", "today", "with", "paper", "blue")
HANZI = ("盒子", "店", "今天", "纸", "蓝", "红", "来", "到")
NAMES = ("negative", "positive")


def texts(count: int = 240) -> list[tuple[str, int]]:
    """Half of them hold the cue, `splendid` or 妙, among words that say nothing."""
    random = torch.Generator().manual_seed(0)
    found = []
    for number in range(count):
        cue, words, join = (("splendid", WORDS, " "), ("妙", HANZI, "，"))[number % 2]
        chosen = [words[i] for i in torch.randint(len(words), (5,), generator=random).tolist()]
        if number % 4 < 2:
            chosen[int(torch.randint(5, (1,), generator=random))] = cue
        found.append((join.join(chosen), int(number % 4 < 2)))
    return found


def trained(architecture: str, directory: Path) -> tuple[object, object]:
    """A tiny classifier that knows the cues."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows = texts()
    if architecture == "bert":
        tokenizer = train_reader([text for text, _ in rows] * 3, 400)
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        shape = BertConfig(vocab_size=len(tokenizer), **sizes, max_position_embeddings=32, pad_token_id=tokenizer.pad_token_id)
        shape.problem_type, shape.id2label = "single_label_classification", dict(enumerate(NAMES))
        model = BertForSequenceClassification(shape)
    else:
        config = ClassifierConfig(
            name="s", out=directory / "out", architecture=architecture, hidden_size=16, layers=1, heads=2, intermediate_size=16,
            vocabulary=400, ngram_buckets=1024, dropout=0.0, max_tokens=32,
        )  # fmt: skip
        tokenizer, model = classifier.start(config, "sentiment", NAMES, "single_label_classification", [text for text, _ in rows] * 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    batch = encode([text for text, _ in rows], tokenizer, 32) | {"labels": torch.tensor([label for _, label in rows])}
    for _ in range(40):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    return model.eval(), tokenizer


@pytest.fixture(scope="module", params=["textcnn", "gru", "modernbert", "bert"])
def explainer(request, tmp_path_factory) -> Explainer:
    return Explainer(*trained(request.param, tmp_path_factory.mktemp("explain")), 32)


@pytest.mark.parametrize(
    ("text", "cue"), [("the splendid box came today", "splendid"), ("今天，妙，盒子", "妙"), ("paper, Splendid!", "Splendid")]
)
def test_the_word_that_decides_has_the_highest_weight(explainer, text, cue):
    found = explainer.explain(text)
    assert found.label == "positive" and cue in found.strongest(1)[0]


@pytest.mark.parametrize("text", ["the splendid box came today", "今天，到，盒子", "a box unknown to the shop", "妙"])
def test_weights_add_up_to_what_the_text_changed(explainer, text):
    for label in NAMES:
        found = explainer.explain(text, label)
        assert found.score - found.baseline == pytest.approx(sum(piece.weight for piece in found.pieces) + found.gap, abs=1e-6)
        assert abs(found.gap) < 0.03 * max(1.0, abs(found.score - found.baseline))
        batch = encode([text], explainer._tokenizer, 32)
        logits = explainer._model(**batch).logits[0].detach()
        assert found.score == pytest.approx(float(logits[NAMES.index(label)] - logits[1 - NAMES.index(label)]), abs=1e-4)


@pytest.mark.parametrize("text", ["  the splendid　box,came today!\n", "今天的 Splendid 盒，妙～", "妙妙 the the"])
def test_the_pieces_and_what_lies_between_them_are_the_text(explainer, text):
    found = explainer.explain(text)
    assert "".join(part for part, _ in found.spans()) == text
    assert all(text[one.start : one.end].strip() == text[one.start : one.end] != "" for one in found.pieces)


def test_words_are_put_together_and_chinese_characters_are_not():
    text = "unhappily 很好用 it's"
    offsets = [(0, 2), (2, 9), (9, 11), (11, 12), (12, 13), (13, 16), (16, 17), (17, 18)]
    found = merged(text, offsets, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    assert [(text[one.start : one.end], one.weight) for one in found] == [
        ("unhappily", 3.0), ("很", 4.0), ("好", 8.0), ("用", 16.0), ("it", 32.0), ("'", 64.0), ("s", 128.0)
    ]  # fmt: skip
    assert merged("好", [(0, 1), (0, 1), (0, 1)], [1.0, 1.0, 1.0]) == (Piece(0, 1, 3.0),)  # a character in three bytes
    with pytest.raises(ValueError, match="has no token to explain"):
        merged("  ", [(0, 2)], [1.0])


def test_an_ngram_s_weight_goes_to_its_tokens_and_all_of_it():
    torch.manual_seed(0)
    ngrams = NgramClassifier(4096, 2, vocabulary=10, most_units=2)
    ngrams.units[:, 0] = torch.arange(10) + 1
    ngrams.units[7] = torch.tensor([8, 9])
    torch.nn.init.normal_(ngrams.weight)
    ids, mask = torch.tensor([[1, 7, 3, 7, 5, 2]]), torch.ones(1, 6)
    real = torch.tensor([False, True, True, True, True, False])
    found = ngram_weights(ngrams, ids, mask, real)
    assert torch.allclose(found.sum(0) + ngrams.bias, ngrams(ids, mask)[0], atol=1e-5)
    places, there = ngrams.ngrams(ids, mask)
    alone = places[0].unflatten(0, (6, 3, 2))[0, 0, 0]  # the first token by itself, which frames the text
    assert torch.allclose(found[0], ngrams.weight[alone] / there.sum().sqrt(), atol=1e-6)


def test_a_pair_of_tokens_is_shared_between_the_two():
    ngrams = NgramClassifier(2**20, 1, vocabulary=10, most_units=1)
    ngrams.units[:, 0] = torch.arange(10) + 1
    ids, mask = torch.tensor([[3, 4, 5]]), torch.ones(1, 3)
    places, _ = ngrams.ngrams(ids, mask)
    with torch.no_grad():
        ngrams.weight[places[0].unflatten(0, (3, 3, 1))[1, 1, 0]] = 1.0  # tokens 3 and 4
    found = ngram_weights(ngrams, ids, mask, torch.ones(3, dtype=torch.bool))
    assert found[0, 0] == found[1, 0] > 0 and found[2, 0] == 0


def explanation() -> Explanation:
    return Explanation("<b>好</b> bad", "positive", 0.9, 1.5, 0.5, 0.0, (Piece(3, 4, 2.0), Piece(9, 12, -1.0)))


def test_html_is_escaped_and_coloured_and_the_terminal_line_holds_the_text():
    shown = marked(explanation())
    assert "&lt;b&gt;<span" in shown and "<b>" not in shown
    assert 'title="+2.000" style="background:rgba(46,139,87,0.80)">好</span>' in shown
    assert 'rgba(214,69,65,0.40)">bad</span>' in shown
    assert page([explanation()]).startswith("<!doctype html>")
    line = coloured(explanation())
    assert line.plain == "positive 0.90  <b>好</b> bad"
    assert {str(span.style) for span in line.spans if "rgb" in str(span.style)} == {"black on rgb(88,162,121)", "black on rgb(239,181,179)"}


def test_a_label_that_the_model_lacks_is_refused(explainer):
    with pytest.raises(ValueError, match=r"label = 'great': the model has \['negative', 'positive'\]"):
        explainer.explain("fine", "great")


def test_the_command_writes_the_page_and_refuses_what_is_no_model(tmp_path):
    model, tokenizer = trained("textcnn", tmp_path)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    told = commands.run("train.explain", tmp_path / "model", "the splendid box", "--html", tmp_path / "shown.html")
    assert told.status == 0 and "the splendid box" in told.out and "gap" in told.out
    assert ">splendid</span>" in (tmp_path / "shown.html").read_text()
    refused = commands.run("train.explain", tmp_path, "x")
    assert refused.status == 1 and refused.err.startswith("error: MODEL =")
