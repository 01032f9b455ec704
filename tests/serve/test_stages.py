"""What becomes of a node's failures on their way to the pipeline."""

import asyncio

import pytest
from ray.exceptions import ActorUnschedulableError, OutOfMemoryError, RayActorError, RaySystemError, RayTaskError, WorkerCrashedError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from serve.errors import Problem, StageUnavailable, unknown
from serve.stages import call


class Response:
    """A node's response that fails as told, or never comes."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.cancelled = error, False

    def __await__(self):
        if self.error is None:
            yield from asyncio.sleep(60).__await__()
        raise self.error

    def cancel(self) -> None:
        self.cancelled = True


def task_error(cause: Exception) -> RayTaskError:
    return RayTaskError("draft", "traceback", cause)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkerCrashedError(), "not running"), (OutOfMemoryError("full"), "not running"), (RaySystemError("lost"), "not running"),
        (ActorUnschedulableError("no room"), "not running"), (RayActorError(), "not running"),
        (BackPressureError(num_queued_requests=9, max_queued_requests=8), "too busy"), (task_error(KeyError("x")), "failed (KeyError)"),
    ],
)  # fmt: skip
async def test_whatever_a_node_fails_of_is_a_stage_that_is_unavailable(error, reason):
    with pytest.raises(StageUnavailable) as unavailable:
        await call("generator", Response(error))  # type: ignore[arg-type]
    assert unavailable.value.stage == "generator"
    assert unavailable.value.reason.startswith(reason)


async def test_a_deployment_that_is_gone_is_unavailable():
    error = DeploymentUnavailableError.__new__(DeploymentUnavailableError)
    with pytest.raises(StageUnavailable, match="not running"):
        await call("fusion", Response(error))  # type: ignore[arg-type]


async def test_a_problem_stays_the_problem_that_it_is():
    problem = unknown("product_id", "no-such", "name another")
    with pytest.raises(Problem) as raised:
        await call("retrieval", Response(task_error(problem)))  # type: ignore[arg-type]
    assert raised.value is problem


async def test_a_caller_that_stops_waiting_cancels_the_work():
    response = Response(None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call("generator", response), 0.01)  # type: ignore[arg-type]
    assert response.cancelled
