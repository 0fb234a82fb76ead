"""pgjdbc, unmodified, over few servers and straight at the primary: jdbc/Drivers.java, compiled here."""
import pathlib
import urllib.parse

import pytest

from few import program

SOURCE = pathlib.Path(__file__).parent / "jdbc/Drivers.java"
JAR = "/usr/share/java/postgresql.jar"


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    program(["javac", "-nowarn", "-cp", JAR, "-d", str(folder), str(SOURCE)], timeout=120)
    return folder


def results(classes, url):
    at = urllib.parse.urlsplit(url)
    done = program(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JAR}:{classes}", "Drivers",
                    f"jdbc:postgresql://127.0.0.1:{at.port}{at.path}", at.username, at.password], timeout=200, check=False)
    found = [line.split("\t", 3) for line in done.stdout.splitlines()]
    failed = "\n\n".join(f"{name}: {said[:2500]}" for word, name, _, said in found if word != "ok")
    assert not failed, failed
    assert done.returncode == 0 and found, done.stdout + done.stderr
    return {name: said for _, name, _, said in found}


def test_as_direct(cluster, few, database, classes):
    direct = results(classes, cluster.primary.url(database=database))
    assert len(direct) >= 40
    assert results(classes, few.url(database=database)) == direct
