"""A pipeline over fake stages, and the drafts and pieces that its tests share."""

from serve.messages import CopyRequest
from serve.pipeline import Pipeline
from serve.templates import Templates
from tests.fake_stages import FakeStages
from tests.fakes import NOW, make_piece, make_product, percent_off

GOOD = (
    "{name}，{discount}，到{offer.ends}",
    "今天的风有点凉，{name}在等你出门",
    "路灯亮了，{name}陪你走回家",
    "{material}的{name}，{price}",
)
PIECES = [
    make_piece("出门前看一眼镜子里的{name}"),
    make_piece("衣架上给{name}留个位置吧"),
    make_piece("A hook by the door for {name}", "en"),
]
COAT = make_product(offer=percent_off(20), images=("media/coat.jpg",))


def make_pipeline(stages: FakeStages, **options) -> Pipeline:
    return Pipeline(
        stages.stages(), Templates(PIECES), **{"prompt_style": "compact", "spare_drafts": 2, "versions": {"generator": "abc"}, **options}
    )


def written(answer) -> list[str]:
    """The choices that the model wrote."""
    return [choice.text for choice in answer.choices if choice.origin == "model"]


async def answer_of(stages: FakeStages, **fields):
    request = CopyRequest(**{"channel": "sms", "product_id": "coat", "seed": 1, **fields})
    return await make_pipeline(stages).answer(request, "request-1", NOW)
