"""The checker of tests/checker: no read is stale, without faults and with them.

PGTIER_FRESHNESS_SECONDS (60) and PGTIER_FRESHNESS_CLIENTS (20) say how long and how many. The mutants of tests/mutants must make this test
fail: a check that cannot fail is no check.
"""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "checker"))

import checker  # noqa: E402 (its folder is known only now)

SECONDS = float(os.environ.get("PGTIER_FRESHNESS_SECONDS", "60"))
CLIENTS = int(os.environ.get("PGTIER_FRESHNESS_CLIENTS", "20"))


@pytest.fixture(scope="module")
def late(folder):
    """A cluster whose replica replays late."""
    servers = checker.prepare(folder / "freshness")
    yield servers
    servers.stop()


@pytest.mark.parametrize("store, proxies", [("memory", 1), ("redis", 1), ("redis", 2)])
def test_no_read_is_stale(start_alone, late, store, proxies):
    fleet = [start_alone(checker.settings(late, store, fleet=proxies > 1), on=late) for _ in range(proxies)]
    report = checker.run(late, fleet, checker.Plan(CLIENTS, SECONDS))
    print(f"\n{proxies} with {store}: {report.text()}")
    assert report.stale == [] and report.faults == []
    # Nothing is proved by reads that all went to the primary.
    for source in "cache", "replica", "primary":
        assert report.answers[source] > 50, report.answers
