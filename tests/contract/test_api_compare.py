"""``/compare`` over a real store, on services whose releases differ in a known way."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.api.app import Api
from collector.api.limits import ApiLimits
from collector.cost import Prices
from collector.store.embedded import EmbeddedStore
from collector.store.migrate import migrate
from pyrometer.api import CompareAnswer
from pyrometer.units import NS_PER_S
from tests.contract.api_client import ask
from tests.contract.releases import BUCKETS, FUNCTIONS, ReleaseWriter

# One core and one GiB cost 1 a month.
PRICES = Prices(cpu_core_hour=1 / 730, memory_gib_hour=1 / 730, worker_memory_gib=1.0)


@pytest.fixture(scope="module")
def compare(tmp_path_factory):
    store = EmbeddedStore(tmp_path_factory.mktemp("compare"))
    migrate(store)
    now_s = int(time.time()) // 10 * 10
    writer = ReleaseWriter(store, now_s - 2 * BUCKETS * 10)
    same, slower = dict(FUNCTIONS), {**FUNCTIONS, "step_5": FUNCTIONS["step_5"] * 1.2}
    for service, candidate in (
        ("steady", {"cpu_ms": same}),
        ("slower", {"cpu_ms": slower}),
        ("much_slower", {"cpu_ms": {**FUNCTIONS, "step_5": 90.0}}),
        ("faster", {"cpu_ms": {**FUNCTIONS, "step_5": 6.0}}),
        ("tail", {"cpu_ms": same, "tail": 3.0}),
        ("grown", {"cpu_ms": {**FUNCTIONS, "brand_new": 5.0}}),
        ("later", {"cpu_ms": slower, "first": BUCKETS}),
        ("busier", {"cpu_ms": same, "requests": 900.0}),
    ):
        writer.release(service, "1", cpu_ms=same)
        writer.release(service, "2", **candidate)
    for version, cpu_ms in (("1", same), ("2", slower)):
        writer.release("no_spans", version, cpu_ms=cpu_ms, spans=False)
    writer.release("no_profiles", "1", cpu_ms=same)
    writer.release("no_profiles", "2", cpu_ms=same, profiles=False)
    with ThreadPoolExecutor(2) as executor:
        api = Api(store, PRICES, ApiLimits(), executor, now_ns=lambda: now_s * NS_PER_S)

        def compare(service, baseline="1", candidate="2", **parameters) -> CompareAnswer:
            parameters = {"service": service, "baseline": baseline, "candidate": candidate, **parameters}
            response = ask(api, "/api/v1/compare", **parameters)
            assert response.status == 200, response.body
            return response.decode(CompareAnswer)

        yield compare
    store.close()


def found_functions(answer: CompareAnswer) -> dict[str, str]:
    rows = {row.function: row.self_cpu.verdict for row in answer.functions}
    return {name: verdict for name, verdict in rows.items() if verdict in ("regression", "improvement")}


def operation_verdicts(answer: CompareAnswer) -> dict[str, str]:
    (row,) = answer.operations
    names = ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "error_rate")
    return {name: getattr(row, name).verdict for name in names}


def test_two_equal_releases_have_no_finding(compare):
    """Sampling noise and a wandering load are no regression, in any function or quantile."""
    answer = compare("steady")
    assert found_functions(answer) == {}
    assert set(operation_verdicts(answer).values()) == {"no_change"}
    assert answer.cpu.verdict == "no_change"
    assert (answer.paired, answer.buckets, answer.bucket_s) == (True, 58, 10)
    assert answer.notes == []


def test_a_fifth_more_cpu_in_one_function_is_found_and_priced(compare):
    """The interval holds the true 1.8 ms; the price is the change times the traffic of both releases."""
    answer = compare("slower")
    assert found_functions(answer) == {"step_5": "regression"}
    first = answer.functions[0]
    assert first.function == "step_5"
    assert first.self_cpu.low <= 1.8 <= first.self_cpu.high
    # Two releases of about 40 requests per second; a core costs 1 a month.
    assert answer.requests_per_second == pytest.approx(80, rel=0.1)
    assert first.price_per_month == pytest.approx(first.self_cpu.absolute / 1000 * answer.requests_per_second)
    assert first.price_low < first.price_per_month < first.price_high


def test_functions_whose_share_fell_have_not_improved(compare):
    """One function grows tenfold and takes half of the CPU: the shares of all others fall, their cost does not."""
    assert found_functions(compare("much_slower")) == {"step_5": "regression"}


def test_less_cpu_is_an_improvement_with_a_negative_price(compare):
    """A function that costs a third less saves money."""
    answer = compare("faster")
    assert found_functions(answer) == {"step_5": "improvement"}
    assert answer.functions[0].price_per_month < 0


def test_a_slow_tail_is_found_in_the_tail_only(compare):
    """2% of the requests three times as slow: p99 and mean are regressions, the median is not; slots cost money."""
    answer = compare("tail")
    verdicts = operation_verdicts(answer)
    assert (verdicts["p99_ms"], verdicts["mean_ms"]) == ("regression", "regression")
    assert (verdicts["p50_ms"], verdicts["error_rate"]) == ("no_change", "no_change")
    (row,) = answer.operations
    assert row.verdict == "regression"
    # Little's law: 80 requests per second, each so much longer; a slot of 1 GiB costs 1 a month.
    slots = row.mean_ms.absolute / 1000 * answer.requests_per_second
    assert row.price_per_month == pytest.approx(slots)
    assert row.price_low <= row.price_per_month <= row.price_high
    assert found_functions(answer) == {}


def test_a_function_that_is_new_has_no_relative_change(compare):
    """It is a regression of what it costs, and its relative change is unknown."""
    answer = compare("grown")
    assert found_functions(answer) == {"brand_new": "regression"}
    change = answer.functions[0].self_cpu
    assert (change.baseline, change.relative) == (0.0, None)
    assert change.low <= 5.0 <= change.high


def test_releases_one_after_the_other_are_compared_unpaired(compare):
    """No common bucket: the regression is still found, and a note says what such a comparison cannot know."""
    answer = compare("later")
    assert not answer.paired
    assert found_functions(answer) == {"step_5": "regression"}
    assert any("did not run at the same time" in note for note in answer.notes)


def test_more_traffic_is_no_regression(compare):
    """A candidate that serves more than twice the requests uses more than twice the CPU, and costs the same each."""
    answer = compare("busier")
    assert found_functions(answer) == {}
    assert answer.cpu.verdict == "no_change"


def test_without_spans_cpu_is_compared_per_second(compare):
    """A service that serves no requests is compared by the CPU of its processes; latency is not."""
    answer = compare("no_spans")
    assert (answer.denominator, answer.requests_per_second, answer.operations) == ("second", 0.0, [])
    row = next(row for row in answer.functions if row.function == "step_5")
    # 40 requests per second and process: 9 ms each in one release are 360 ms a second.
    assert row.self_cpu.baseline == pytest.approx(360, rel=0.1)
    # Two processes at a time.
    assert row.price_per_month == pytest.approx(2 * row.self_cpu.absolute / 1000, rel=0.01)
    assert "Release 1 has no spans in this range: latency is not compared." in answer.notes


def test_without_profiles_latency_is_compared_alone(compare):
    """CPU of one side alone is nothing to compare; latency is."""
    answer = compare("no_profiles")
    assert (answer.functions, answer.cpu.verdict) == ([], "not_enough_data")
    assert set(operation_verdicts(answer).values()) == {"no_change"}
    assert "Release 2 has no profiles in this range: CPU is not compared." in answer.notes


def test_a_release_that_sent_nothing_is_named(compare):
    """Empty lists, no verdict, and a note."""
    answer = compare("slower", candidate="3")
    assert (answer.functions, answer.operations, answer.buckets) == ([], [], 0)
    assert answer.cpu.verdict == "not_enough_data"
    assert answer.notes == ["Release 3 sent nothing in this range."]
    assert compare("slower", candidate="").notes == ["Release without a version sent nothing in this range."]


def test_a_short_range_is_not_enough_data(compare):
    """Half a minute has too few whole buckets: the numbers are there, a verdict is not, and a note says why."""
    answer = compare("slower", start="-20m", end="-1150s")
    assert {row.self_cpu.verdict for row in answer.functions} == {"not_enough_data"}
    assert {row.verdict for row in answer.operations} == {"not_enough_data"}
    assert any("6 are needed" in note for note in answer.notes)


def test_the_limit_cuts_the_lists_and_not_the_tests(compare):
    """With one row asked for, it is the regression, and its q-value is that of the whole answer."""
    whole, short = compare("slower"), compare("slower", limit=1)
    assert [row.function for row in short.functions] == ["step_5"]
    assert short.functions[0].self_cpu.q_value == whole.functions[0].self_cpu.q_value
