"""Prisma with its own adapter for node-postgres, unmodified, over few servers and straight at the primary.

The client is generated without an engine (queries are compiled by WebAssembly), so nothing has to be downloaded. Prisma 7
needs Node.js 20.19 or newer: where the system has an older one, prisma/node holds a newer, as an npm package.
"""
import os
import pathlib
import re

import pytest

from few import npm_ci, program
from test_node import results

PRISMA = pathlib.Path(__file__).parent / "prisma"
# The schema engine would be downloaded even where nothing asks for it: it is told to be there already.
QUIET = {"PRISMA_SCHEMA_ENGINE_BINARY": "/bin/true", "CHECKPOINT_DISABLE": "1", "PRISMA_HIDE_UPDATE_MESSAGE": "1", "DO_NOT_TRACK": "1"}


def new_enough(version):
    major, minor = map(int, re.match(r"v(\d+)\.(\d+)", version).groups())
    return (major, minor) >= (20, 19) and not (major == 21 or (major == 22 and minor < 12) or major == 23)


@pytest.fixture(scope="module")
def node():
    if new_enough(program(["node", "--version"]).stdout):
        return "node"
    npm_ci(PRISMA / "node")
    return next(str(path) for path in (PRISMA / "node/node_modules").glob("node-*/bin/node"))


@pytest.fixture(scope="module")
def client(node):
    npm_ci(PRISMA)
    program([node, "node_modules/prisma/build/index.js", "generate", "--schema", "schema.prisma"], timeout=120, cwd=PRISMA,
            env=dict(os.environ, **QUIET))


def test_as_direct(cluster, few, database, node, client):
    def once(url):
        cluster.primary.sql((PRISMA / "schema.sql").read_text(encoding="utf-8"), "app", database)
        cluster.catch_up()
        return results("drivers.js", url, PRISMA, node)

    direct = once(cluster.primary.url(database=database))
    assert len(direct) >= 14
    assert once(few.url(database=database)) == direct
