"""What becomes of a node's failures on their way to the pipeline, and what the nodes themselves add to what they wrap."""

import asyncio
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorUnschedulableError, OutOfMemoryError, RayActorError, RaySystemError, RayTaskError, WorkerCrashedError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from copywriting.shopper import Event, Shopper, anonymous
from feedback.database import DatabaseUnavailable
from feedback.records import Behaviour
from retrieval.build import build_index
from serve.calls import call
from serve.errors import Problem, StageUnavailable, unknown
from serve.exchange import FindQuery
from serve.stages import RetrievalStage, StateStage
from tests.fakes import NOW, make_shop


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


@pytest.fixture(scope="module")
def retrieval(tmp_path_factory):
    """The node's own class over a small shop in which ann's consent has no end."""
    root = tmp_path_factory.mktemp("stages")
    shop = make_shop(root / "shop")
    build_index(shop, root / "index", now=NOW, quiet=True)
    return RetrievalStage.func_or_class(SimpleNamespace(shop=shop, index=root / "index", products_per_answer=5))


def find(retrieval, shopper: Shopper | None, shopper_id: str | None = None, **wishes):
    return retrieval.find(FindQuery(shopper, shopper_id, wishes.get("product_id"), wishes.get("query"), "en-US"))


def test_a_shopper_of_the_database_is_joined_by_what_the_index_knows(retrieval):
    events = (Event("purchase", "beans", NOW),)
    found = find(retrieval, Shopper("ann", "en-US", True, {"name": "Ann"}, bought=frozenset({"beans"}), recent="beans", events=events))
    assert found.shopper.interests and found.shopper.bought == {"beans", "longjing"}
    assert (found.shopper.events, found.recent.product_id, found.new_shopper) == (events, "beans", False)
    assert not {"beans", "longjing"} & {product.product_id for product, _, _ in found.products}


def test_what_was_sent_back_since_the_index_was_built_is_not_theirs(retrieval):
    found = find(retrieval, Shopper("ann", "en-US", True, events=(Event("cancellation", "longjing", NOW),)))
    assert (found.shopper.bought, found.shopper.recent, found.recent) == (frozenset(), None, None)


def test_an_anonymous_shopper_stays_one_whatever_the_shops_table_says(retrieval):
    found = find(retrieval, anonymous("en-US"))
    assert found.shopper == anonymous("en-US") and not found.new_shopper


def test_a_shopper_whom_the_database_does_not_know_is_the_one_of_the_shops_table(retrieval):
    assert find(retrieval, None, "ann").shopper.personalise
    nobody = find(retrieval, None, "zed")
    assert nobody.new_shopper and not nobody.shopper.personalise


def test_the_catalogue_tells_which_products_it_has(retrieval):
    assert retrieval.known(["beans", "yacht", "coat"]) == {"beans", "coat"}


async def test_the_state_node_reads_and_records_and_is_ready_while_its_database_is(tmp_path):
    node = StateStage.func_or_class(f"sqlite:///{tmp_path}/state.db")
    (receipt,) = await node.record([Behaviour("e1", "ann", "coat", "view", NOW, consent=True, locale="en-GB")])
    assert receipt.status == "stored"
    assert [event.kind for event in (await node.read("ann", NOW)).events] == ["view"]
    assert await node.ready()


async def test_the_state_node_starts_without_its_database_and_says_so_when_asked(tmp_path):
    (tmp_path / "folder").write_text("")
    node = StateStage.func_or_class(f"sqlite:///{tmp_path}/folder/state.db")
    for question in (node.ready(), node.read("ann", NOW), node.record([])):
        with pytest.raises(DatabaseUnavailable):
            await question
    (tmp_path / "folder").unlink()
    assert await node.ready()


def test_the_node_of_the_index_tells_its_version(retrieval):
    assert retrieval.ready().version == find(retrieval, anonymous("en-US")).index != ""
