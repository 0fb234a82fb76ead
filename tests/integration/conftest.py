"""Servers for the tests: one cluster a session, one pgtier a set of settings, ended by pid."""
import pathlib
import re
import shutil
import tempfile

import pytest

from cluster import Cluster
from few import database, few, url  # noqa: fixtures
from proxy import Pgtier

ROWS = 1000


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep the folder of data and logs")


@pytest.fixture(scope="session")
def folder(request):
    path = pathlib.Path(tempfile.mkdtemp(prefix="pgtier-tests-"))
    path.chmod(0o755)
    yield path
    if request.config.getoption("--keep") or request.session.testsfailed:
        request.config.kept_folder = path
    else:
        shutil.rmtree(path, ignore_errors=True)


def pytest_terminal_summary(terminalreporter, config):
    if hasattr(config, "kept_folder"):
        terminalreporter.write_line(f"logs and data are in {config.kept_folder}")


@pytest.fixture(scope="session")
def cluster(folder):
    servers = Cluster(folder / "cluster").start()
    try:
        servers.load(ROWS)
        servers.catch_up()
        yield servers
    finally:
        servers.stop()


def starter(cluster, folder, name):
    """Yields start(settings) -> a running Pgtier; afterwards all are stopped and checked."""
    started = []

    def new(over=None, on=cluster, ready=True, env=None):
        proxy = Pgtier(on, folder / f"{name}-{len(started)}", over, env)
        started.append(proxy)
        return proxy.start(ready)

    yield new
    faults = []
    for proxy in started:
        try:
            proxy.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="module")
def start(cluster, folder, request):
    yield from starter(cluster, folder, request.module.__name__)


@pytest.fixture
def start_alone(cluster, folder, request):
    """As `start`, but what it started ends with the test: for those that count servers."""
    yield from starter(cluster, folder, re.sub(r"\W+", "-", request.node.name))


@pytest.fixture(scope="module")
def pgtier(start):
    """pgtier with the shipped settings, for tests that need no others."""
    return start()
