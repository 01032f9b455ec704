"""What goes with a product: what was bought together with it most beyond chance, else what is most like it.

Rules come from `python -m retrieval.portrait SHOP`; a shop without them is served by likeness.
"""

from pathlib import Path

from copywriting.product import Product
from retrieval import tables
from retrieval.catalogue import Filters
from retrieval.recommend import Recommender

_LOOKED_AT = 5


class Together:
    """The strongest rules of one product each, in memory."""

    def __init__(self, shop: Path) -> None:
        self._with: dict[str, list[str]] = {}
        if not tables.path_of(shop, "associations").is_file():
            return
        for rule in tables.read(shop, "associations").to_pylist():
            if len(rule["antecedents"]) == 1:
                self._with.setdefault(rule["antecedents"][0], []).append(rule["consequent"])

    def other(self, product: Product, locale: str, recommender: Recommender, exclude: frozenset[str] = frozenset()) -> Product | None:
        """A product in stock to offer with this one, named and priced in the same currency; None where there is none."""
        catalogue = recommender.catalogue
        allowed = catalogue.allowed(Filters(exclude=exclude | {product.product_id}), locale)
        bought = [
            other for other in self._with.get(product.product_id, ()) if other in catalogue and allowed[catalogue.rows_of([other])[0]]
        ]
        like = [] if bought else recommender.similar(product.product_id, locale, _LOOKED_AT, Filters(exclude=exclude))
        candidates = [*(catalogue.product(other, locale) for other in bought), *(ranked.product for ranked in like)]
        return next((other for other in candidates if other.currency == product.currency), None)
