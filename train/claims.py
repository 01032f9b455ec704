"""Train the second reader of claims: a logistic regression over character n-grams, untrue sentences against lawful ones.

    python -m train.claims [--config train/configs/claims.yaml] [--out DIR] [--set key=value]

Data: the lists written by hand (`untrue_claims.yaml`, `lawful_copy.yaml`), the sentences of `more`, written for this reader by people who
had not seen it, every sentence of the copybook. `held_out.yaml` is never trained on: `benchmarks.claims` judges by it. The threshold is
the suspicion that at most `false_alarms` of lawful sentences reach when each is judged by a reader that has not seen it (5 folds). Takes a
minute on a CPU; it runs in this process, for it is too small to launch a cluster for.
"""

import json
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from artifacts.card import Card, check_output, write_card
from copywriting import copybook
from copywriting.channels import Language
from copywriting.second_reader import KIND, bare, vectorizer
from copywriting.sentences import sentences_of
from copywriting.slots import with_gaps
from train.job import run_command
from train.run.settings import InputPath, OutputPath, command_line, data_hash, read_plain_command_line

LANGUAGES: tuple[Language, ...] = ("zh", "en")


class ClaimsConfig(BaseModel):
    """Settings of the second reader."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: OutputPath
    untrue: InputPath
    lawful: InputPath
    more: InputPath
    """Directory of YAML files with the lists untrue_zh, lawful_zh, untrue_en and lawful_en."""
    copybook: InputPath
    false_alarms: float = Field(default=0.005, gt=0, lt=0.5)
    """Share of lawful sentences that the threshold may cost, in cross-validation."""
    strength: float = Field(default=10.0, gt=0)
    """Inverse of the regularisation."""
    folds: int = Field(default=5, ge=2)
    seed: int = 0


def sentences(config: ClaimsConfig, language: Language) -> tuple[list[str], list[str]]:
    """(untrue, lawful) sentences of one language, slots as gaps, each once."""
    untrue = [str(each) for kind in yaml.safe_load(config.untrue.read_text(encoding="utf-8"))[language].values() for each in kind]
    lawful = [str(each) for each in yaml.safe_load(config.lawful.read_text(encoding="utf-8"))[language]]
    for path in sorted(config.more.glob("*.yaml")):
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
        untrue += [
            with_gaps(str(text)) for text in held.get(f"untrue_{language}", ()) if len(sentences_of(str(text))) == 1
        ]  # else, which claims?
        lawful += [str(text) for text in held.get(f"lawful_{language}", ())]
    lawful += [part for piece in copybook.load(config.copybook) if piece.language == language for part in piece.parts]
    split = [sentence.strip() for text in lawful for line in text.split("\n") for sentence in sentences_of(with_gaps(line))]
    said = set(untrue)
    return list(dict.fromkeys(untrue)), [sentence for sentence in dict.fromkeys(split) if sentence and sentence not in said]


def fit(texts: list[str], labels: NDArray[np.int64], language: Language, config: ClaimsConfig) -> LogisticRegression:
    """A fitted model; untrue and lawful weigh the same."""
    rows = vectorizer(language).transform([bare(text) for text in texts])
    return LogisticRegression(C=config.strength, class_weight="balanced", max_iter=1000, random_state=config.seed).fit(rows, labels)


def unseen_suspicions(texts: list[str], labels: NDArray[np.int64], language: Language, config: ClaimsConfig) -> NDArray[np.float64]:
    """(n,) the suspicion of each text by a reader that did not see it."""
    suspicions = np.zeros(len(texts))
    folds = StratifiedKFold(config.folds, shuffle=True, random_state=config.seed)
    for seen, unseen in folds.split(texts, labels):
        model = fit([texts[i] for i in seen], labels[seen], language, config)
        suspicions[unseen] = model.predict_proba(vectorizer(language).transform([bare(texts[i]) for i in unseen]))[:, 1]
    return suspicions


def make(config: ClaimsConfig) -> Card:
    """Train and write the directory, card last. Raises ArtifactError for an `out` that holds anything else."""
    check_output(config.out, KIND)
    weights: dict[str, NDArray[np.float16]] = {}
    bias: dict[str, float] = {}
    threshold: dict[str, float] = {}
    metrics: dict[str, float] = {}
    for language in LANGUAGES:
        untrue, lawful = sentences(config, language)
        texts, labels = [*untrue, *lawful], np.array([1] * len(untrue) + [0] * len(lawful))
        suspicions = unseen_suspicions(texts, labels, language, config)
        threshold[language] = float(np.quantile(suspicions[labels == 0], 1 - config.false_alarms))
        model = fit(texts, labels, language, config)
        weights[language], bias[language] = model.coef_[0].astype(np.float16), float(model.intercept_[0])
        metrics |= {
            f"{language}_untrue": float(len(untrue)),
            f"{language}_lawful": float(len(lawful)),
            f"{language}_unseen_found": float((suspicions[labels == 1] >= threshold[language]).mean()),
            f"{language}_unseen_false_alarms": float((suspicions[labels == 0] >= threshold[language]).mean()),
        }
    config.out.mkdir(parents=True, exist_ok=True)
    save_file(weights, config.out / "weights.safetensors")
    (config.out / "reader.json").write_text(json.dumps({"bias": bias, "threshold": threshold}) + "\n", encoding="utf-8")
    described = {"false_alarms": config.false_alarms, "strength": config.strength, "folds": config.folds}
    hashed = data_hash([config.untrue, config.lawful, config.more, config.copybook])
    return write_card(
        config.out, kind=KIND, name="claims", command=command_line(), seed=config.seed, config=described, data_hash=hashed, metrics=metrics
    )


def main() -> None:
    """The command line."""
    card = make(read_plain_command_line(ClaimsConfig, Path("train/configs/claims.yaml")))
    print({key: round(value, 4) for key, value in card.metrics.items()})


if __name__ == "__main__":
    run_command(main)
