"""The answer's last step: from ranked candidates to the document that a caller gets. Only shapes; nothing is decided here."""

from collections.abc import Mapping, Sequence

from copywriting.brief import Brief
from copywriting.check import Claim
from copywriting.diversity import self_bleu
from copywriting.law import Verdict
from copywriting.principles import EVIDENCE, appeals_of
from serve.exchange import Found, ResponseScore
from serve.messages import Choice, ClaimOut, CopyAnswer, CopyRequest, Explanation, Notice, ProductOut, Refused, Scores, Usage, VerdictOut
from serve.ranking import Judgement
from serve.trace import Candidate, Trace


def build_answer(
    request: CopyRequest,
    request_id: str,
    event_id: str,
    found: Found,
    brief: Brief,
    ranked: Sequence[tuple[Candidate, Judgement]],
    trace: Trace,
    versions: Mapping[str, str],
) -> CopyAnswer:
    """Put the answer together; `ranked` is best first."""
    choices = [_choice(event_id, number, candidate, judgement) for number, (candidate, judgement) in enumerate(ranked)]
    return CopyAnswer.model_construct(
        event_id=event_id,
        request_id=request_id,
        locale=found.locale,
        channel=request.channel,
        chosen=choices[0].variant_id,
        choices=choices,
        products=[
            ProductOut(product_id=p.product_id, name=p.name, score=round(score, 4), reason=reason) for p, score, reason in found.products
        ],
        personalised=found.shopper.personalise,
        jurisdictions=brief.law.versions,
        degraded=trace.degraded,
        notices=_notices(request, found, brief),
        versions={**versions, **({"index": found.index} if found.index else {})},
        usage=Usage(
            prompt_tokens=trace.drafts.prompt_tokens,
            output_tokens=trace.drafts.output_tokens,
            cached=trace.drafts.cached,
            drafts=len(trace.drafts.texts),
            refused=len(trace.refused),
            alike=trace.alike,
        ),
        timings_ms=trace.timings_ms,
        label="AI-generated",
        explanation=_explanation(brief, trace, choices, [judgement.impression for _, judgement in ranked]) if request.explain else None,
    )


def _not_bundled(request: CopyRequest, found: Found, brief: Brief) -> list[str]:
    """What of `bundle_with` no piece could name."""
    named = {each.product_id for each in found.also} if "also" in brief.slots else set()
    return [each for each in request.partners if each not in named and not (each == "auto" and named)]


def _notices(request: CopyRequest, found: Found, brief: Brief) -> list[Notice]:
    """What the request asked for and did not get, and what its caller should know of the product."""
    product = found.products[0][0]
    notices = []
    if left_out := _not_bundled(request, found, brief):
        detail, remedy = "can't be named with this product", "name another product_id, or leave it out of bundle_with"
        notices.append(Notice(field="bundle_with", value=", ".join(left_out), detail=detail, remedy=remedy))
    if found.new_shopper:
        detail, remedy = "never seen: answered as for anyone", "ingest the shopper, or describe them in `shopper`"
        notices.append(Notice(field="shopper_id", value=str(request.shopper_id), detail=detail, remedy=remedy))
    if request.shopper is not None and request.shopper_id is not None:
        detail, remedy = "not used: the shopper is described in `shopper`", "send one of the two"
        notices.append(Notice(field="shopper_id", value=request.shopper_id, detail=detail, remedy=remedy))
    if request.product_id is not None and request.query is not None:
        detail, remedy = "not used: the product is named in `product_id`", "send one of the two"
        notices.append(Notice(field="query", value=request.query, detail=detail, remedy=remedy))
    if product.stock == 0:
        detail, remedy = "is out of stock", "advertise it once it is back, or leave product_id out to have another recommended"
        notices.append(Notice(field="product_id", value=product.product_id, detail=detail, remedy=remedy))
    for name in request.principles if request.principles != "auto" else ():
        if name not in brief.principles:
            capped = name in brief.law.caps(brief.case)
            detail = "is not used on these readers" if capped else f"no fact of {product.product_id} proves it"
            remedy = "leave it out" if capped else f"it needs one of {list(EVIDENCE.get(name, ()))}"
            notices.append(Notice(field="principles", value=name, detail=detail, remedy=remedy))
    return notices


def _choice(event_id: str, number: int, candidate: Candidate, judgement: Judgement) -> Choice:
    copy, shown = candidate.copy, judgement.persuasion.shown if judgement.persuasion else {}
    return Choice.model_construct(
        variant_id=f"{event_id}-{number + 1}",
        origin=candidate.origin,
        text=copy.text,
        parts=copy.parts,
        scores=_scores(judgement),
        probability=1.0 if number == 0 else 0.0,
        claims=[_claim(claim) for claim in copy.claims],
        compliance=[_verdict(verdict) for verdict in copy.verdicts],
        appeals=list(appeals_of(shown)),
        image=judgement.image.path if judgement.image else None,
        reasons=[
            *(f"persuades by {name} ({value:.2f})" for name, value in shown.items()),
            *_likelier(judgement.response),
            *map(str, judgement.answers),
            *copy.repairs,
        ],
    )


def _claim(claim: Claim) -> ClaimOut:
    return ClaimOut.model_construct(
        kind=claim.kind,
        slot=claim.slot,
        start=claim.start,
        end=claim.end,
        value=claim.value,
        source=claim.source,
        version=claim.version,
        derivation=claim.derivation,
    )


def _scores(judgement: Judgement) -> Scores:
    persuasion, sentiment, image = judgement.persuasion, judgement.sentiment, judgement.image
    return Scores(
        utility=round(judgement.utility, 4),
        persuasion=round(persuasion.persuasive, 4) if persuasion else None,
        principles={name: round(value, 4) for name, value in persuasion.principles.items()} if persuasion else None,
        sentiment=round(judgement.mood_fit, 4) if judgement.mood_fit is not None else None,
        sentiment_label=sentiment.label if sentiment else None,
        image_fit=round(image.fit, 4) if image and image.fit is not None else None,
        response=round(judgement.response.probability, 4) if judgement.response else None,
    )


def _likelier(response: ResponseScore | None) -> list[str]:
    """Said where a text is likelier than usual to be answered."""
    if response is None or response.probability <= response.usually:
        return []
    return [f"{response.outcome} {response.probability:.1%} likely ({response.usually:.1%} usually)"]


def _verdict(verdict: Verdict) -> VerdictOut:
    return VerdictOut.model_construct(rule=verdict.rule, law=verdict.law, text=verdict.text, remedy=verdict.remedy, action=verdict.action)


def _explanation(brief: Brief, trace: Trace, choices: Sequence[Choice], impressions: Sequence[Mapping[str, object]]) -> Explanation:
    return Explanation(
        tone=brief.tone,
        occasion=brief.occasion,
        principles=list(brief.principles),
        slots=list(brief.slots),
        intent=brief.intent,
        doubts=list(brief.doubts),
        likings=list(brief.likings),
        market=list(brief.market),
        refused=[
            Refused(draft=refusal.template, reasons=list(refusal.reasons), verdicts=list(map(_verdict, refusal.verdicts)))
            for refusal in trace.refused
        ],
        impressions=[{"variant_id": choice.variant_id, **row} for choice, row in zip(choices, impressions, strict=True)],
        self_bleu=self_bleu([choice.text for choice in choices], brief.language) if len(choices) > 1 else None,
    )
