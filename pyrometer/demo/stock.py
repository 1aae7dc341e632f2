"""What /stock does: changes numbers that are guarded by one lock, which threads contend for."""

import threading
import time

from pyrometer.demo.catalogue import Product
from pyrometer.demo.tracing import inner_span

# How long a reservation holds the lock to write its entry, as a disk would take.
_WRITE_S = 0.01


class Warehouse:
    """How many of each product there are."""

    def __init__(self, catalogue: tuple[Product, ...]) -> None:
        self._lock = threading.Lock()
        self._levels = {product.number: 1_000 for product in catalogue}

    def reserve(self, product: int, quantity: int) -> int:
        """Take some of a product, and return how many are left."""
        with inner_span("wait for stock lock"):
            self._lock.acquire()
        try:
            return self.update_level(product % len(self._levels), quantity)
        finally:
            self._lock.release()

    def update_level(self, product: int, quantity: int) -> int:
        """Write a level, and restock what ran out. Hold the lock."""
        left = self._levels[product] - quantity
        self._levels[product] = left if left > 0 else 1_000
        write_entry()
        return self._levels[product]


def write_entry() -> None:
    """Wait as long as a disk takes to keep an entry."""
    time.sleep(_WRITE_S)
