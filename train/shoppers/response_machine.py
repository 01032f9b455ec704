"""How the factorisation machine of the response model is trained: Adam on the weighted log loss, the best epoch by validation kept.

Second order over all features, the pairs summed as half of (sum of factors) squared less the sum of their squares (Rendle 2010), so an
impression costs as many steps as it has features. Plain PyTorch on one thread: the model is small, and its sums then do not depend on how
many cores a machine has. Distributed training is not here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from artifacts.response import Machine
from artifacts.response_features import Encoding
from train.shoppers.impressions import Examples

_START = 0.05
"""Standard deviation of factors before training: pairs must differ from the beginning, or they never come apart."""


class Network(nn.Module):
    """The machine in training. `used` (size,) marks features that some training example has: the others stay 0."""

    def __init__(self, encoding: Encoding, used: Tensor, rate: float, dim: int, random: torch.Generator) -> None:
        super().__init__()
        self.offsets = torch.from_numpy(encoding.offsets)
        self.bias = nn.Parameter(torch.tensor([np.log(rate / (1 - rate))], dtype=torch.float32))
        self.weights = nn.Parameter(torch.zeros(encoding.size))
        self.factors = nn.Parameter(torch.randn(encoding.size, dim, generator=random) * _START * used[:, None])

    def forward(self, codes: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """(n, categories) codes and (n, names and numbers) values → (n,) log-odds, (n,) squares of the weights and factors behind them."""
        places = codes + self.offsets
        begin = len(self.weights) - values.shape[1]
        weights, factors = self.weights[places], self.factors[places]
        own_weights, own_factors = self.weights[begin:], self.factors[begin:]
        sums = factors.sum(1) + values @ own_factors
        squares = (factors**2).sum(1) + values**2 @ own_factors**2
        logits = self.bias + weights.sum(1) + values @ own_weights + 0.5 * (sums**2 - squares).sum(1)
        return logits, (weights**2).sum(1) + values**2 @ own_weights**2 + squares.sum(1)

    def machine(self) -> Machine:
        """As it is served."""
        return Machine(*(each.detach().double().numpy().copy() for each in (self.bias, self.weights, self.factors)))


def fit_machine(
    encoding: Encoding, training: Examples, validation: Examples, *, dim: int, learning_rate: float, penalty: float, batch_size: int,
    epochs: int, patience: int, seed: int,
) -> Machine:  # fmt: skip
    """Train until `patience` epochs have brought no better validation loss, and return the best epoch's machine."""
    random = torch.Generator().manual_seed(seed)
    with one_thread():
        seen, unseen = tensors(training), tensors(validation)
        network = Network(encoding, _used(encoding, training), training.rate, dim, random)
        optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
        best, least, since = network.machine(), _validation_loss(network, unseen), 0
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(training.happened), generator=random), batch_size):
                _step(network, optimizer, [each[batch] for each in seen], penalty)
            loss = _validation_loss(network, unseen)
            since = 0 if loss < least else since + 1
            if loss < least:
                best, least = network.machine(), loss
            if since >= patience:
                break
    return best


def _step(network: Network, optimizer: torch.optim.Optimizer, batch: list[Tensor], penalty: float) -> None:
    codes, values, happened, weights = batch
    logits, squares = network(codes, values)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, happened, weights) + penalty * squares.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def _validation_loss(network: Network, examples: list[Tensor]) -> float:
    codes, values, happened, weights = examples
    return float(nn.functional.binary_cross_entropy_with_logits(network(codes, values)[0], happened, weights))


def tensors(examples: Examples) -> list[Tensor]:
    """Codes (n, categories), values (n, names and numbers), what happened (n,) and weights (n,)."""
    rows = examples.rows
    values = np.hstack([rows.present, rows.standardised]).astype(np.float32)
    return [
        torch.from_numpy(np.ascontiguousarray(rows.codes)),
        *(torch.from_numpy(np.ascontiguousarray(each, dtype=np.float32)) for each in (values, examples.happened, examples.weights)),
    ]


def _used(encoding: Encoding, training: Examples) -> Tensor:
    rows = training.rows
    found = np.bincount((rows.codes + encoding.offsets).ravel(), minlength=encoding.size).astype(np.float32)
    values = np.hstack([rows.present, rows.standardised])
    found[encoding.size - values.shape[1] :] = np.abs(values).sum(axis=0)
    return torch.from_numpy((found > 0).astype(np.float32))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
