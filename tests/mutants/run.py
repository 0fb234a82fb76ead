"""Breaks the ledger on purpose and expects the freshness checker to notice.

    /usr/bin/python3 tests/mutants/run.py [name ...]

Each mutant is a copy of the sources with one rule of freshness switched off, built and run under
tests/integration/test_freshness.py. A mutant that is not caught is a failure: a check that cannot fail is none.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEDGER = "src/fresh/memory_ledger.c"
SECONDS = os.environ.get("PGTIER_MUTANT_SECONDS", "20")

MUTANTS = {  # name: {function: the statements it then begins with}
    # A commit ends pending, but the cells keep their stamps and LSNs: entries and replicas stay good.
    "commit-without-touch": {"ledger_commit": "(void)lsn; ledger_abort(ledger, write); return;"},
    # Writes leave no trace at all.
    "begin-and-commit-do-nothing": {"ledger_begin": "(void)ledger; (void)added; return;",
                                    "ledger_commit": "(void)ledger; (void)write; (void)lsn; return;"},
}


def mutate(source, changes):
    for function, statements in changes.items():
        source, count = re.subn(rf"(^void {function}\([^)]*\)\n{{\n)", rf"\1    {statements}\n", source, flags=re.M)
        if count != 1:
            raise SystemExit(f"{LEDGER} has {count} definitions of {function}")
    return source


def build(tree, changes):
    for name in "CMakeLists.txt", "CMakePresets.json", "src", "conf", "sql", "bench", "tests":
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    path = tree / LEDGER
    path.write_text(mutate(path.read_text(encoding="utf-8"), changes), encoding="utf-8")
    subprocess.run(["cmake", "--preset", "release"], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "release", "--target", "pgtier", "-j2"], cwd=tree, check=True,
                   stdout=subprocess.DEVNULL)
    return tree / "build/release/pgtier"


def stale_reads(program):
    """How many stale reads the checker counted, and what it said."""
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-k", "memory",
                           str(ROOT / "tests/integration/test_freshness.py")], text=True, capture_output=True, check=False,
                          env=dict(os.environ, PGTIER_BIN=str(program), PGTIER_FRESHNESS_SECONDS=SECONDS))
    return sum(map(int, re.findall(r"values read.*stale: (\d+)", done.stdout))), done.stdout + done.stderr


def main(names):
    missed = []
    for name in names or MUTANTS:
        with tempfile.TemporaryDirectory(prefix=f"pgtier-{name}-") as tree:
            found, said = stale_reads(build(pathlib.Path(tree), MUTANTS[name]))
        print(f"mutant {name}: {found} stale reads{'' if found else ': NOT CAUGHT'}", flush=True)
        if not found:
            missed.append(name)
            print(said[-3000:])
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
