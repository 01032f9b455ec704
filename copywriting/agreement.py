"""English verbs after a product's name: "Stillzone Headphones is" puts a reader off, so copy that says it of a plural name is refused.

Told by form: the last word of the name, and a verb of the third person right behind the slot. Pronouns further on are not here.
"""

import re

_PLURAL = re.compile(r"[a-z](?<![siu])s$", re.IGNORECASE)
_SINGULAR = {"savings", "news", "series", "lens", "canvas", "atlas", "christmas", "gas"}
_SINGULAR_VERB = (
    r"(?!this\b|as\b|plus\b|versus\b|always\b|its\b|besides\b|unless\b|across\b|perhaps\b)"
    r"(?:(?:is|was|has|does)(?:n't)?\b|[a-z]{2,}(?<![su])s\b)"
)


def is_plural(name: str) -> bool:
    """Does an English name end like a plural? `Canvas Shoes` does; `Dress`, `Table Tennis` and `Cactus` do not."""
    last = name.rstrip(" .!)]\"'").rpartition(" ")[2]
    return bool(_PLURAL.search(last)) and last.casefold() not in _SINGULAR


def disagreement(template: str, slot: str) -> str | None:
    """The verb of the singular that a template puts behind this slot, whose value is a plural; None where there is none."""
    found = re.search(rf"\{{{re.escape(slot)}\}} {_SINGULAR_VERB}", template)
    return found.group().partition("} ")[2] if found else None
