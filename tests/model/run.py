"""Checks the model of the promise in full, and that it fails where a rule is switched off.

    /usr/bin/python3 tests/model/run.py [--long]

Spin visits every order of steps of freshness.pml within the bounds of a variant. --long adds a larger one of each.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

MODEL = pathlib.Path(__file__).with_name("freshness.pml")
HOLDS = {
    "two writes": "READS=1",
    "a lost server": "READS=1 LOST",
    "one that stands still or is cut off": "READS=1 WRITES=1 TROUBLE",
    "a feed": "READS=2 WRITES=0 FEED",
}
LONGER = {
    "one write, two reads each": "READS=2 WRITES=1",
    "a lost server, two reads each": "READS=2 WRITES=1 LOST",
    "a feed beside a write": "READS=1 WRITES=1 FEED",
}
FAILS = {
    "a write is sent before all have heard of it": "READS=2 WRITES=1 BREAK_WAIT",
    "what is kept answers while a write is under way": "READS=2 WRITES=1 BREAK_PENDING",
    "a commit leaves what is kept valid": "READS=2 WRITES=1 BREAK_TOUCH",
    "a replica need not have a commit": "READS=2 WRITES=1 BREAK_LSN",
    "what a replica answers is not looked at": "READS=2 WRITES=1 BREAK_LOOK",
    "what was read counts as new as when it had come": "READS=2 WRITES=1 BREAK_STAMP",
    "a write whose server is lost was never made": "READS=1 WRITES=1 LOST BREAK_LOST",
    "a lapsed lease means nothing": "READS=1 WRITES=1 TROUBLE BREAK_TRUST",
    "what is streamed is taken for visible": "READS=2 WRITES=0 FEED BREAK_FEED",
}


def visit(folder, macros):
    """(states, what was found) of one variant."""
    words = [f"-D{word}" for word in macros.split()]
    for command in (["spin", "-a", *words, str(MODEL)],
                    ["cc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048", "-w", "-o", "pan", "pan.c"]):
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"{command} failed:\n{done.stdout}{done.stderr}")
    said = subprocess.run(["./pan", "-m200000", "-w22"], cwd=folder, text=True, capture_output=True, check=False).stdout
    if "errors:" not in said or re.search("max search depth too small|out of memory|resource", said):
        raise SystemExit(f"{macros} was not visited in full:\n{said}")
    found = re.search(r"^pan:1: (.*?) \(at depth", said, re.M)
    return int(re.search(r"(\d+) states, stored", said)[1]), found and found[1]


def main(words):
    wrong = 0
    variants = [(name, macros, False) for name, macros in {**HOLDS, **(LONGER if "--long" in words else {})}.items()]
    variants += [(name, macros, True) for name, macros in FAILS.items()]
    with tempfile.TemporaryDirectory(prefix="pgtier-model-") as folder:
        for name, macros, fails in variants:
            began = time.monotonic()
            states, found = visit(folder, macros)
            good = (found is not None and found.startswith("assertion violated")) if fails else found is None
            wrong += not good
            print(f"{'ok   ' if good else 'WRONG'} {'not so where ' if fails else ''}{name}: {states} states in {time.monotonic() - began:.0f} s"
                  f"{', ' + found if found else ''}", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
