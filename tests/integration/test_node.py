"""node-postgres with its companions and postgres.js, unmodified, over few servers and straight at the primary."""
import json
import os
import pathlib

import pytest

from few import npm_ci, program

NODE = pathlib.Path(__file__).parent / "node"


def results(script, url, folder=NODE, node="node"):
    """What each test of a script returned, by its name."""
    done = program([node, script], cwd=folder, timeout=120, check=False, env=dict(os.environ, DATABASE_URL=url))
    found = [json.loads(line) for line in done.stdout.splitlines()]
    failed = "\n\n".join(f"{r['name']}: {r['error']}" for r in found if not r["ok"])
    assert not failed, failed
    assert done.returncode == 0 and found, done.stdout + done.stderr
    return {r["name"]: r["value"] for r in found}


@pytest.mark.parametrize("script, at_least", [("extras.js", 19), ("postgres.js", 24)])
def test_as_direct(cluster, few, database, script, at_least):
    npm_ci(NODE)
    direct = results(script, cluster.primary.url(database=database))
    assert len(direct) >= at_least
    assert results(script, few.url(database=database)) == direct
