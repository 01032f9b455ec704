"""Handles of deployments as the pipeline's plain async callables: every failure that a node can have arrives as `StageUnavailable`, and a
caller that stops waiting cancels the work."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle, DeploymentResponse, DeploymentResponseGenerator

from serve.errors import Problem, StageUnavailable
from serve.pipeline import Stages
from serve.scorers.response import ResponseScorer


async def call(stage: str, response: DeploymentResponse) -> Any:
    """Await a node. What goes wrong there becomes StageUnavailable; a Problem stays one; a caller that stops waiting cancels it."""
    with _told(stage, response):
        return await response


async def flow(stage: str, response: DeploymentResponseGenerator) -> AsyncGenerator[Any, None]:
    """What a node yields, with the same promises; a caller that closes this generator cancels the node's work."""
    with _told(stage, response):
        async for item in response:
            yield item


@contextmanager
def _told(stage: str, response: DeploymentResponse | DeploymentResponseGenerator) -> Iterator[None]:
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        response.cancel()
        raise
    except BackPressureError as error:
        raise StageUnavailable(stage, "too busy") from error
    except RayTaskError as error:
        if isinstance(error.cause, Problem):
            raise error.cause from None
        raise StageUnavailable(stage, f"failed ({type(error.cause).__name__})") from error
    except (RayError, RayServeException) as error:  # its process, its node, its memory or its place in the cluster is gone
        raise StageUnavailable(stage, f"not running ({type(error).__name__})") from error


def stage(name: str, method: Any) -> Callable[..., Awaitable[Any]]:
    """One method of a deployment as a plain async callable."""
    return lambda *arguments: call(name, method.remote(*arguments))


def calls(
    state: DeploymentHandle,
    retrieval: DeploymentHandle,
    generator: DeploymentHandle,
    persuasion: DeploymentHandle,
    sentiment: DeploymentHandle,
    fusion: DeploymentHandle,
    response: ResponseScorer | None = None,
) -> Stages:
    """The pipeline's view of the deployments, and of the response model beside it where one serves."""
    return Stages(
        shopper=stage("state", state.read),
        find=stage("retrieval", retrieval.find),
        draft=stage("generator", generator.draft),
        stream=lambda query: flow("generator", generator.options(stream=True).stream.remote(query)),
        persuasion=stage("persuasion", persuasion.score),
        sentiment=stage("sentiment", sentiment.score),
        images=stage("fusion", fusion.match),
        response=response.score if response else None,
    )
