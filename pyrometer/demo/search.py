"""What /search computes: similarity of vectors, in NumPy."""

import numpy as np
from numpy.typing import NDArray

from pyrometer.demo.catalogue import Product
from pyrometer.demo.tracing import inner_span

_DIMENSIONS = 128


class SearchIndex:
    """
    One vector for each product.

    The vectors have shape (products, 128), float32, each of length 1.
    """

    def __init__(self, catalogue: tuple[Product, ...]) -> None:
        self._catalogue = catalogue
        self._vectors = normalise(np.stack([embed_text(product.name) for product in catalogue]))

    def find(self, text: str, limit: int) -> list[str]:
        """Return the names of the products nearest to *text*."""
        with inner_span("embed query"):
            query = normalise(embed_text(text)[np.newaxis, :])[0]
        with inner_span("rank products"):
            return [self._catalogue[int(row)].name for row in self.rank_products(query, limit)]

    def rank_products(self, query: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
        """Return the rows of the *limit* best products, best first; *query* has shape (128,)."""
        scores = score_vectors(self._vectors, query)
        return np.argsort(-scores, kind="stable")[:limit]


def embed_text(text: str) -> NDArray[np.float32]:
    """Return counts of hashed pairs of letters, shape (128,)."""
    codes = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64)
    pairs = (codes[:-1] * 31 + codes[1:]) % _DIMENSIONS if len(codes) > 1 else codes % _DIMENSIONS
    return np.bincount(pairs, minlength=_DIMENSIONS).astype(np.float32)


def normalise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows scaled to length 1, shape (n, 128); zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-9))
    return scaled


def score_vectors(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's similarity to the query, shape (n,), rare features weighted up."""
    weights = 1.0 / np.sqrt(1.0 + (vectors > 0).sum(axis=0, dtype=np.float32))
    scores: NDArray[np.float32] = (vectors * weights) @ query
    return scores
