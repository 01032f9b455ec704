"""What the training tests share: a tiny copybook, a tokenizer for it, and one Ray cluster."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from artifacts.card import write_card
from copywriting import copybook
from copywriting.copybook import Piece

_HERE = Path(__file__).parent
_PIECES = """
zh:
- {channel: push, tone: warm, kind: tea, principles: [benefit], headline: "泡一壶{name}", body: "窗边坐一会儿，{feature}，慢慢喝。"}
- {channel: push, tone: urgent, principles: [scarcity], headline: "只剩{stock}份", body: "{name}快没了，想好就来。"}
- {channel: sms, tone: plain, principles: [value], body: "{name}现在{price}，省{saving}。"}
- {channel: sms, tone: warm, occasion: mid_autumn, principles: [liking], body: "{occasion}快到了，带一盒{name}回家。"}
- {channel: banner, tone: playful, principles: [reciprocity], headline: "{name}，送{gift}", cta: "去看看"}
- {channel: chat_reply, tone: expert, intent: quality, principles: [authority], body: "{name}有{certificate}，放心问。"}
en:
- {channel: push, tone: warm, kind: tea, principles: [benefit], headline: "A pot of {name}", body: "Sit a while. {feature}, slowly."}
- {channel: push, tone: urgent, principles: [scarcity], headline: "Only {stock} left", body: "{name} is going. Make up your mind."}
- {channel: sms, tone: plain, principles: [value], body: "{name} is {price} now; you save {saving}."}
- {channel: sms, tone: warm, occasion: christmas, principles: [liking], body: "Bring {name} home for {occasion}."}
- {channel: banner, tone: playful, principles: [reciprocity], headline: "{name}, and {gift}", cta: "Take a look"}
- {channel: chat_reply, tone: expert, intent: quality, principles: [authority], body: "{name} carries {certificate}. Ask me anything."}
"""


@pytest.fixture(scope="session")
def copybook_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pieces about food, six in each language."""
    directory = tmp_path_factory.mktemp("copybook")
    for language, pieces in yaml.safe_load(_PIECES).items():
        document = {"vertical": "food", "locale": language, "pieces": pieces}
        (directory / f"food.{language}.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def pieces(copybook_directory: Path) -> tuple[Piece, ...]:
    return copybook.load(copybook_directory)


@pytest.fixture(scope="session")
def tokenizer_directory(tmp_path_factory: pytest.TempPathFactory, pieces: tuple[Piece, ...]) -> Path:
    """A tokenizer that knows the tiny copybook."""
    from train.texts.vocabulary import save_tokenizer, train_tokenizer

    directory = tmp_path_factory.mktemp("models") / "tokenizer"
    save_tokenizer(train_tokenizer([piece.template for piece in pieces], [], 1024), directory)
    write_card(directory, kind="tokenizer", name="tokenizer", command="pytest", seed=0)
    return directory


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One local Ray node; workers can import what lies beside the tests."""
    import ray

    from train.run.cluster import start

    ours = not ray.is_initialized()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1")  # a checkpoint waits until Ray Train asks for it: else two seconds
        environment.setenv("PYTHONPATH", os.pathsep.join((str(_HERE), str(_HERE.parents[1]))))
        if ours:
            start(4)
        yield
        if ours:
            ray.shutdown()
