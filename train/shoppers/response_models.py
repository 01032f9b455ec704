"""The three response models, each fitted on training examples and, for what must be chosen, on validation examples.

| model | what it is | validation decides |
|---|---|---|
| logistic | logistic regression over one-hot categories, names and standardised numbers (scikit-learn) | regularisation |
| factorisation_machine | a factor for every feature besides, so that pairs count (Rendle 2010) | regularisation, when to stop |
| gradient_boosting | histogram-based trees, categories split natively (scikit-learn) | when to stop |

What is returned is the exported form that serving loads (`artifacts/response.py`); tests prove it equal to scikit-learn's own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn comes with it

from artifacts.response import TREE_CODES, Calibration, Machine, Trees, tree_values
from artifacts.response_features import Encoded, Encoding
from train.shoppers.impressions import Examples, ImpressionsConfig
from train.shoppers.response_exam import log_loss
from train.shoppers.response_machine import fit_machine

ModelName = Literal["logistic", "factorisation_machine", "gradient_boosting"]


class ModelsConfig(ImpressionsConfig):
    """Settings of the three models; a model reads its own."""

    strengths: tuple[float, ...] = Field(default=(0.01, 0.03, 0.1, 0.3, 1.0), min_length=1)
    """logistic: inverse regularisations to choose from."""
    dim: int = Field(default=8, ge=1)
    """factorisation_machine: length of a feature's factor."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """factorisation_machine: of Adam."""
    penalties: tuple[float, ...] = Field(default=(3e-4, 1e-3, 3e-3, 1e-2), min_length=1)
    """factorisation_machine: of the squared weights and factors of an example's features, to choose from."""
    batch_size: int = Field(default=512, ge=1)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=6, ge=1)
    """factorisation_machine: epochs without a better validation loss after which it stops."""
    trees: int = Field(default=400, ge=1)
    """gradient_boosting: at most so many."""
    leaves: int = Field(default=6, ge=2)
    smallest_leaf: int = Field(default=50, ge=1)
    shrinkage: float = Field(default=0.05, gt=0, le=1)
    """gradient_boosting: how much of each tree counts."""
    ridge: float = Field(default=10.0, ge=0)
    """gradient_boosting: penalty of squared leaf values."""
    threads: int = Field(default=1, ge=1)
    """gradient_boosting: more pay from some hundred thousand impressions on, on a machine with nothing else to do."""


def logistic(encoding: Encoding, training: Examples, validation: Examples, config: ModelsConfig) -> Machine:
    """Of the strengths, the one with the least validation log loss."""
    matrix = design(encoding, training.rows)
    return _best([exported_logistic(fitted_logistic(matrix, training, each)) for each in config.strengths], encoding, validation)


def fitted_logistic(matrix: sparse.csr_matrix, training: Examples, strength: float) -> LogisticRegression:
    """scikit-learn's model."""
    return LogisticRegression(C=strength, max_iter=2000, tol=1e-6).fit(matrix, training.happened, training.weights)


def exported_logistic(model: LogisticRegression) -> Machine:
    """A machine without factors."""
    weights = np.asarray(model.coef_[0], dtype=np.float64)
    return Machine(np.asarray(model.intercept_, dtype=np.float64), weights, np.zeros((len(weights), 0)))


def design(encoding: Encoding, rows: Encoded) -> sparse.csr_matrix:
    """(n, encoding.size): one-hot codes, then names, then standardised numbers."""
    count = rows.codes.shape[1]
    places = (rows.codes + encoding.offsets).ravel()
    begin = encoding.size - rows.present.shape[1] - rows.standardised.shape[1]
    ones = sparse.csr_matrix((np.ones(len(places)), places, np.arange(len(rows) + 1) * count), shape=(len(rows), begin))
    return sparse.hstack([ones, sparse.csr_matrix(rows.present), sparse.csr_matrix(rows.standardised)], format="csr")


def factorisation_machine(encoding: Encoding, training: Examples, validation: Examples, config: ModelsConfig) -> Machine:
    """A machine with factors, of the penalties and epochs the one with the least validation log loss."""
    machines = [
        fit_machine(
            encoding, training, validation, dim=config.dim, learning_rate=config.learning_rate, penalty=penalty,
            batch_size=config.batch_size, epochs=config.epochs, patience=config.patience, seed=config.seed,
        )
        for penalty in config.penalties
    ]  # fmt: skip
    return _best(machines, encoding, validation)


def gradient_boosting(encoding: Encoding, training: Examples, validation: Examples, config: ModelsConfig) -> Trees:
    """Trees until validation log loss has not fallen for ten of them."""
    return exported_trees(fitted_trees(training, validation, config), len(encoding.categories))


def fitted_trees(training: Examples, validation: Examples, config: ModelsConfig) -> HistGradientBoostingClassifier:
    """scikit-learn's model."""
    model = HistGradientBoostingClassifier(
        learning_rate=config.shrinkage, max_iter=config.trees, max_leaf_nodes=config.leaves, min_samples_leaf=config.smallest_leaf,
        l2_regularization=config.ridge, categorical_features=list(range(training.rows.codes.shape[1])) or None, early_stopping=True,
        n_iter_no_change=10, tol=0, random_state=config.seed,
    )  # fmt: skip
    with threadpool_limits(config.threads, user_api="openmp"):
        return model.fit(
            tree_values(training.rows), training.happened, training.weights,
            X_val=tree_values(validation.rows), y_val=validation.happened, sample_weight_val=validation.weights,
        )  # fmt: skip


def exported_trees(model: HistGradientBoostingClassifier, categories: int) -> Trees:
    """scikit-learn's trees as arrays. Its splits by category are bit sets over codes that it numbered anew, with codes it never saw going
    where a missing value goes; here they are written out for every code that there may be."""
    trees = [predictor for (predictor,) in model._predictors]
    begins = np.cumsum([0, *(len(tree.nodes) for tree in trees)])[:-1]
    nodes = np.concatenate([tree.nodes for tree in trees])
    begin_of = np.repeat(begins, [len(tree.nodes) for tree in trees])
    leaf, itself = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
    ways, group = _ways(model, trees, categories)
    return Trees(
        bias=np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1),
        roots=begins.astype(np.int64),
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf, np.inf, nodes["num_threshold"]),
        left=np.where(leaf, itself, begin_of + nodes["left"]).astype(np.int64),
        right=np.where(leaf, itself, begin_of + nodes["right"]).astype(np.int64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=np.where(leaf, nodes["value"], 0.0),
        group=group,
        goes_left=ways,
        depth=np.array([nodes["depth"].max()], dtype=np.int64),
    )


def _ways(model: HistGradientBoostingClassifier, trees: list[Any], categories: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """For each split by category a row that says where every code goes, and for each node the number of its row, -1 where it has none."""
    seen = model._preprocessor.named_transformers_["encoder"].categories_ if categories else []
    ways, group = [np.zeros(TREE_CODES + 1, dtype=bool)], []  # the first row stands for none
    for tree in trees:
        for node in tree.nodes:
            if node["is_leaf"] or not node["is_categorical"]:
                group.append(-1)
                continue
            bits = tree.raw_left_cat_bitsets[node["bitset_idx"]]
            way = np.full(TREE_CODES + 1, bool(node["missing_go_to_left"]))
            for rank, code in enumerate(seen[node["feature_idx"]].astype(int)):
                way[code] = bool(bits[rank // 32] >> np.uint32(rank % 32) & np.uint32(1))
            group.append(len(ways))
            ways.append(way)
    return np.array(ways), np.array(group, dtype=np.int64)


def _best(machines: Sequence[Machine], encoding: Encoding, validation: Examples) -> Machine:
    chances = [Calibration().probability(machine.logits(encoding, validation.rows)) for machine in machines]
    return machines[int(np.argmin([log_loss(each, validation.happened, validation.weights) for each in chances]))]


FITTERS: dict[ModelName, Callable[[Encoding, Examples, Examples, ModelsConfig], Machine | Trees]] = {
    "logistic": logistic,
    "factorisation_machine": factorisation_machine,
    "gradient_boosting": gradient_boosting,
}
"""Name → fitter."""
