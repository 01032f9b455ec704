"""What one request asks to be written, and how its drafts are read: the brief and its facts, the queries to the generator, the check.

Pure: nothing here waits for a stage. The pipeline asks for drafts and hands them in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from copywriting.brief import Brief
from copywriting.check import Copy, Refusal, check, check_unfinished
from copywriting.facts import Fact
from copywriting.grammar import grammar
from copywriting.prompt import PromptStyle, render, writable
from copywriting.sentences import finished
from copywriting.variety import near_duplicates, variations
from serve.errors import Problem, invalid
from serve.exchange import Adapter, DraftQuery
from serve.messages import CopyRequest
from serve.templates import Templates
from serve.trace import Candidate, Trace

TOKENS_PER_CHAR = {"zh": 1.0, "en": 0.5}
DRAFTS_A_PROMPT = 2
"""Drafts of one variation of a brief: the second is there for when the first does not pass."""
MORE_AGAIN = 2
"""How many more drafts are asked for once the only one did not pass: its brief is a hard one."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Steps 4 and 5 of one request, without the waiting. `seed` is the request's own, or one that the answer's id gives."""

    request: CopyRequest
    brief: Brief
    facts: Mapping[str, Fact]
    seed: int
    templates: Templates
    trace: Trace

    def queries(self, style: PromptStyle, spare_drafts: int, adapter: Adapter | None) -> tuple[DraftQuery, DraftQuery]:
        """What to ask the generator for, and what where none of that passes: other drafts, more of them, cached in the place of those."""
        request, brief = self.request, self.brief
        wanted = request.n + (spare_drafts if request.n > 1 else 0)
        briefs = variations(brief, -(-wanted // DRAFTS_A_PROMPT)) if request.n > 1 else (brief,)
        query = DraftQuery(
            tuple(render(each, style) for each in briefs),
            grammar(writable(brief, style)),
            min(wanted, DRAFTS_A_PROMPT),
            int(brief.max_chars * TOKENS_PER_CHAR[brief.language]) + 24,
            request.seed,
            adapter=adapter,
        )
        again = replace(query, more=0 if request.n > 1 else MORE_AGAIN)
        return query, replace(again, seed=(self.seed + 1) % 2**31) if request.seed is not None else replace(again, renew=True)

    def readable(self, growing: str) -> str | None:
        """The filled text of a growing draft, as far as its sentences may be read: all of it passed the check as a whole."""
        draft = finished(growing)
        text = check_unfinished(draft, self.brief, self.facts, self.request.must_not_include)
        return text if text is not None and self.templates.misplaced(draft, self.brief) is None else None

    def checked(self, drafts: Sequence[str]) -> list[Candidate]:
        """The different drafts that may leave."""
        kept: dict[str, Candidate] = {}
        for draft in drafts:
            misplaced = self.templates.misplaced(draft, self.brief)
            verdict = Refusal(draft, (misplaced,)) if misplaced else self._check(draft)
            if isinstance(verdict, Refusal):
                self.trace.refused.append(verdict)
            else:
                kept.setdefault(verdict.text, Candidate(verdict, "model"))
        candidates = list(kept.values())
        alike = near_duplicates([candidate.copy.text for candidate in candidates])
        self.trace.alike += len(alike)
        return [candidate for number, candidate in enumerate(candidates) if number not in alike]

    def templated(self, drafted: Sequence[Candidate]) -> list[Candidate]:
        """Pieces of the copybook for the places that drafts left empty: the first that pass, best suited first."""
        texts = {candidate.copy.text for candidate in drafted}
        passed: list[Candidate] = []
        for template in self.templates.suitable(self.brief, self.seed):
            if len(texts) == self.request.n:
                break
            verdict = self._check(template)
            if isinstance(verdict, Refusal):
                self.trace.unusable.append(verdict)
            elif verdict.text not in texts:
                texts.add(verdict.text)
                passed.append(Candidate(verdict, "template"))
        return passed

    def no_copy(self) -> Problem:
        """Which wish of the request left no copy standing."""
        request, channel = self.request, self.brief.channel.name
        reasons = sorted({reason for refusal in (*self.trace.refused, *self.trace.unusable) for reason in refusal.reasons})
        detail = f"no copy for {channel} is left: {reasons[:5]}"
        if any("must not include" in reason for reason in reasons):
            return invalid("must_not_include", request.must_not_include, detail, "leave out phrases that the product's own facts contain")
        if any("characters" in reason for reason in reasons):
            return invalid("max_chars", self.brief.max_chars, detail, "raise max_chars, or shorten must_include")
        return invalid("product_id", request.product_id, detail, "give the product a short plain name, or add pieces to the copybook")

    def _check(self, draft: str) -> Copy | Refusal:
        return check(draft, self.brief, self.facts, self.request.must_not_include, strict=self.request.strict)
