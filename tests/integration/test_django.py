"""Django, unmodified, over few servers and straight at the primary: migrations of a small project, then a page of its ORM."""
import json
import os
import pathlib
import shutil
import sys

from few import program

PROJECT = pathlib.Path(__file__).parent / "django"


def results(url, folder):
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))    # it writes its migrations there
    done = program([sys.executable, "drive.py"], cwd=folder, timeout=170, check=False, env=dict(os.environ, DATABASE_URL=url, SCRATCH=str(folder)))
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failed = "\n\n".join(f"{r['name']}: {r['error']}" for r in found if not r["ok"])
    assert not failed, failed
    assert done.returncode == 0 and found, done.stdout + done.stderr
    return {r["name"]: r["value"] for r in found}


def test_as_direct(cluster, few, database, tmp_path):
    direct = results(cluster.primary.url(database=database), tmp_path / "direct")
    assert len(direct) >= 18
    assert results(few.url(database=database), tmp_path / "through") == direct
