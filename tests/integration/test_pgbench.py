"""pgbench, unmodified, in all its query modes."""
import re
import subprocess

import pytest

SCRIPT = r"""
\set aid random(1, 100000)
\startpipeline
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid + 0;
\endpipeline
"""

TRANSACTION = r"""
\set aid random(1, 100000)
\set delta random(-5000, 5000)
\startpipeline
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, CURRENT_TIMESTAMP);
END;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
\endpipeline
"""


@pytest.fixture(scope="module")
def tables(cluster):
    subprocess.run(["pgbench", "-i", "-q", cluster.primary.url()], check=True, capture_output=True, timeout=120)
    cluster.catch_up()


@pytest.fixture(scope="module", params=["transaction", "session"])
def proxy(request, start, tables):
    size = 3 if request.param == "transaction" else 25
    return start({"pool": {"mode": request.param, "size": size}})


def bench(proxy, *words):
    done = subprocess.run(["pgbench", "-n", "-c", "20", "-j", "2", *words, proxy.url()], text=True,
                          capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    ran = re.search(r"number of transactions actually processed: (\d+)", done.stdout)
    assert failed and failed[1] == "0", done.stdout
    assert ran and int(ran[1]) > 100, done.stdout
    assert "aborted" not in done.stderr, done.stderr


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("kind", ["-S", "-N", "-b tpcb-like"])
def test_no_transaction_fails(proxy, mode, kind):
    bench(proxy, "-M", mode, "-T", "2", *kind.split())


@pytest.mark.parametrize("mode", ["extended", "prepared"])
@pytest.mark.parametrize("script", [SCRIPT, TRANSACTION], ids=["reads", "transaction"])
def test_pipelines(proxy, mode, script, tmp_path):
    (tmp_path / "pipeline.sql").write_text(script)
    bench(proxy, "-M", mode, "-T", "2", "-f", str(tmp_path / "pipeline.sql"))


def test_a_connection_for_each_transaction(proxy):
    bench(proxy, "-S", "-C", "-T", "2", "-M", "extended")


def test_the_sums_agree(proxy, cluster):
    """What was written through pgtier is whole: each balance is the sum of the history's deltas."""
    assert cluster.primary.sql("SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)"
                               ", (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)"
                               ", (SELECT count(*) FROM pgbench_history) > 100") == "t|t|t"
