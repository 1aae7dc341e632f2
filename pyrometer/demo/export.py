"""What /export does: a chain of generators that makes CSV."""

from collections.abc import Iterable, Iterator

from pyrometer.demo.catalogue import Product
from pyrometer.demo.tracing import inner_span

Row = tuple[int, str, str]


def export_catalogue(catalogue: Iterable[Product], rows_max: int) -> str:
    """Return the first rows as CSV."""
    with inner_span("write csv"):
        return "".join(csv_lines(format_rows(take(catalogue, rows_max))))


def take(products: Iterable[Product], count: int) -> Iterator[Product]:
    """Yield the first *count* products."""
    for index, product in enumerate(products):
        if index >= count:
            return
        yield product


def format_rows(products: Iterable[Product]) -> Iterator[Row]:
    """Yield a row for each product."""
    for product in products:
        yield product.number, product.name.title(), format_price(product.price_cents)


def format_price(cents: int) -> str:
    """Return a price as people write it: ``12.30``."""
    return f"{cents // 100}.{cents % 100:02d}"


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of the file."""
    yield "number,name,price\n"
    for number, name, price in rows:
        yield f"{number},{quote(name)},{price}\n"


def quote(text: str) -> str:
    """Return a text field as RFC 4180 wants it."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"'
