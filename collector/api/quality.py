"""How what is shown was sampled: it stands beside every flame graph and table of functions."""

from collector.api.context import Context, parameters
from collector.api.times import Span
from pyrometer.api import WindowQuality
from pyrometer.units import NS_PER_S


def window_quality(
    context: Context, span: Span, *, service: str, versions: list[str], hosts: list[str], sample_type: str = "cpu"
) -> WindowQuality:
    """Return the sums over all windows of a service in a range."""
    asked = parameters(service=service, versions=versions, hosts=hosts, sample_type=sample_type, **span.in_seconds())
    row = context.rows("window_quality", **asked)[0]
    sampled_ns, total_value, samples = row["sampled_ns"], row["total_value"], row["samples"]
    return WindowQuality(
        rate_hz=row["looks"] * NS_PER_S / sampled_ns if sampled_ns else None,
        # A sender that does not say how it looked sends what it saw alone: that is no coverage of 100%.
        coverage=row["seen_value"] / total_value if sampled_ns and total_value else None,
        unstable_share=row["unstable"] / samples if samples else 0.0,
        cut_share=row["cut"] / samples if samples else 0.0,
        samples=samples,
        looks=row["looks"],
        late=row["late"],
        lost=row["lost"],
        errors=row["errors"],
    )
