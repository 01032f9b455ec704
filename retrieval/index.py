"""FAISS over unit vectors (inner product = cosine): built, saved, memory-mapped by replicas, searched with filters.

Rows are 0..n-1 and ids are kept beside the index, never inside it: an IDMap around other index types reads selectors as internal
rows and can return forbidden items. Choosing a type by corpus size, GPU search and updates without downtime are not here.
"""

from pathlib import Path
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.encoder import Vectors

faiss: Any = _faiss  # its stubs know neither keyword parameters nor numpy arguments


class VectorIndex:
    """Nearest neighbours over n unit vectors. Safe to search from several threads; read-only once opened."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self.dim = int(index.d)

    @classmethod
    def build(cls, vectors: Vectors) -> "VectorIndex":
        """(n, d) float32 unit vectors, row by row. Exact search."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    @classmethod
    def open(cls, path: Path) -> "VectorIndex":
        """Memory-map an index file, so that replicas of one node share its pages. Check its hash first."""
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))

    def save(self, path: Path) -> None:
        """Write the index file."""
        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def vector(self, row: int) -> Vectors:
        """(d,) the vector of one row."""
        found: Vectors = self._index.reconstruct(int(row))
        return found

    def search(self, vector: Vectors, k: int, allowed: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.int64], Vectors]:
        """The up to k best rows for a (d,) unit vector and their cosines, best first. Rows outside `allowed` (n,) never come back."""
        k = min(k, len(self))
        if k == 0 or (allowed is not None and not allowed.any()):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        scores, rows = self._index.search(np.ascontiguousarray(vector[None, :], dtype=np.float32), k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found], scores[0][found]
