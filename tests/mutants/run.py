"""Breaks the rules of freshness on purpose, one at a time, and expects the checker to notice.

    /usr/bin/python3 tests/mutants/run.py [name ...]
    /usr/bin/python3 tests/mutants/run.py --check     whether the lines of all of them are there: nothing is run

A mutant is one copy of the sources with a few lines replaced. The checker runs against it until the first stale read, at most for
PGTIER_MUTANT_SECONDS (60). One that is not caught is a failure, and so is one whose lines are not found any more.
"""
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = os.environ.get("PGTIER_MUTANT_SECONDS", "60")
LEDGER, FLEET, FOOTPRINT = "src/fresh/memory_ledger.c", "src/fresh/fleet.c", "src/fresh/footprint.c"
TWO = ["--proxies", "2", "--store", "redis"]


@dataclasses.dataclass
class Mutant:
    what: str
    edits: list  # (path, old lines, new lines)
    options: list = dataclasses.field(default_factory=list)
    unit: str = ""  # the unit test that catches it, where the checker would have to be lucky


FEW_CELLS = (LEDGER, "ledger->max_cells = max_cells;", "ledger->max_cells = max_cells * 0 + 60;")
MUTANTS = {
    # The ledger.
    "entries-outlive-commits": Mutant("a commit leaves what is kept valid", [
        (LEDGER, "cell->touched = ledger->position;\n        if (lsn", "if (lsn")]),
    "commits-have-no-lsn": Mutant("a replica need not have a commit", [
        (LEDGER, "if (lsn > cell->lsn)\n            cell->lsn = lsn;", "")]),
    "entries-ignore-pending": Mutant("what is kept answers while a write is under way", [
        (LEDGER, "cell->pending == 0 && cell->touched", "cell->touched")]),
    "evicted-cells-leave-no-floor": Mutant("a cell that is not there was never touched", [
        FEW_CELLS,
        (LEDGER, "if (cell->touched > ledger->floor_touched)\n        ledger->floor_touched = cell->touched;", "")]),
    "evicted-cells-leave-no-lsn": Mutant("a cell that is not there needs no position", [
        FEW_CELLS,
        (LEDGER, "if (cell->lsn > ledger->floor_lsn)\n        ledger->floor_lsn = cell->lsn;", "")]),
    "first-relation-only": Mutant("of a join only the first relation counts", [
        (LEDGER, "while (i < read->ncells) {\n        uint8_t occurrence = read->occurrence[i];\n        struct needs",
         "while (i < read->ncells && read->occurrence[i] < 2) {\n        uint8_t occurrence = read->occurrence[i];\n"
         "        struct needs")]),
    # What reads and writes touch.
    "unknown-values-touch-nothing": Mutant("an UPDATE touches no rows but those that it names", [
        (FOOTPRINT, "touch_told(writer, ref, dimension, star);", "")]),
    "what-is-returned-is-not-looked-at": Mutant("the values that rows are told to have are not touched", [
        (FOOTPRINT, "!touch_value(&writer, hash_bytes_seed(value.at, value.len, telling->dims[dim].value))", "false && value.len")]),
    "relations-are-not-touched": Mutant("reads of a whole relation see no writes", [
        (FOOTPRINT, "touch(writer, relation_cell(ref));", "")]),
    "writes-of-everything-touch-nothing": Mutant("a read does not look at what nobody can bound", [
        (FOOTPRINT, "look_at(&reader, CELL_ALL, false);\n    for", "for")]),
    # The way of a request.
    "replicas-are-believed": Mutant("what a replica answers is not looked at", [
        ("src/session/reply.c",
         "if (!ledger_valid(session->database->ledger, &request->read, request->need.stamp, false))", "if (false)")],
        ["--writes", "0.1", "--delay", "0", "--faults", "early", "--hot", "2", "--forms", "by_id,by_id_and_user,returning_all"]),
    "flights-take-everybody": Mutant("who comes after a write joins a fetch from before it", [
        ("src/cache/flight.c", "is_of_key(flight, ask->key) &&\n            ask->valid(ask->owner, flight->stamp, false))",
         "is_of_key(flight, ask->key))")], unit="test_cache"),
    "kept-as-of-the-end": Mutant("what was read counts as new as when it had come", [
        ("src/cache/cache.c", "entry.stamp = flight->stamp;", "entry.stamp = UINT64_MAX >> 1;")]),
    "unknown-ends-are-rollbacks": Mutant("a write whose server is lost was never made", [
        ("src/session/transaction.c", "if (!transaction->written) {\n        forget(transaction);\n        return;\n    }",
         "if (transaction->written && database->fleet)\n        fleet_abort(database->fleet, &transaction->mark);\n"
         "    else if (transaction->written)\n        ledger_abort(database->ledger, &transaction->write);\n"
         "    forget(transaction);\n    return;")],
        ["--writes", "0.1", "--faults", "cut"]),
    "prepared-transactions-write-nothing": Mutant("COMMIT PREPARED writes nothing of what was noted", [
        ("src/session/transaction.c", "if (commits && noted->write.ncells) {", "if (false) {")]),
    "names-are-never-taken-again": Mutant("a prepared transaction of a known name is the one that was noted, whoever has ended one since", [
        ("src/session/transaction.c", "return ledger_valid(database->ledger, &read, stamp, false);",
         "return database || stamp;")], [*TWO, "--forms", "two_phase_anywhere,by_id"]),
    "opens-at-once": Mutant("what runs on the primary when the ledger opens is not waited for", [
        ("src/route/opening.c", "if (opening->ended) {", "if (true) {")], ["--faults", "proxy", "--writes", "0.1", "--forms", "slow,by_id"]),
    "the-feed-is-not-waited-for": Mutant("what a feed will tell counts as told", [
        ("src/session/feed.c", "wish->passed = false;\n    wish->queued = true;", "wish->told(wish, true);\n    return;")], ["--feed", "wal"]),
    "what-rows-leave-open-is-not-asked-for": Mutant("a feed is not listened to where a RETURNING might have told", [
        ("src/session/transaction.c", "footprint_is_fed(&transaction->write, true)", "footprint_is_fed(&transaction->write, false)")],
        ["--feed", "notify"]),
    # The fleet.
    "nobody-is-waited-for": Mutant("a write is sent before the others have heard of it", [
        (FLEET, "return fleet->opens && mark->told == mark->heard && heard_by_all(fleet) >= mark->heard_at;", "return true;")],
        [*TWO, "--writes", "0.05", "--hot", "2", "--forms", "by_id,by_id_and_user"]),
    "trust-for-ever": Mutant("a member that stood still goes on as if nothing had been", [
        (LEDGER, "(!ledger->follows || clock_now() < atomic_load(&ledger->trusted))", "true")],
        ["--proxies", "2", "--faults", "pause", "--hot", "1", "--writes", "0.05", "--sleepy", "1", "--clients", "40"]),
    "others-may-be-away": Mutant("a member that is not heard of is not minded", [
        (FLEET, "if (state->members[i].lease < first)", "if (state->members[i].id == bus_id(fleet->bus))")],
        [*TWO, "--faults", "part"]),
    "dead-members-leave-nothing": Mutant("what a killed member had under way is forgotten", [
        (FLEET, "fleet->figures.fenced++;\n    start_anew(fleet);", "fleet->figures.fenced++;")],
        [*TWO, "--faults", "proxy", "--writes", "0.005", "--slow", "1", "--clients", "40"]),
    "ends-are-not-told": Mutant("what others have written was rolled back", [
        (FLEET, "end_remote(fleet, remote, record);", "end_remote(fleet, remote, NULL);")], TWO),
}


class Tree:
    """A copy of the sources that is built anew after each change."""

    def __init__(self, folder):
        self.folder = folder
        for name in "CMakeLists.txt", "CMakePresets.json", "src", "conf", "sql", "bench", "tests":
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
            else:
                shutil.copy(ROOT / name, folder / name)
        # What a rule was for may be of no use without it.
        lists = folder / "CMakeLists.txt"
        lists.write_text(lists.read_text(encoding="utf-8").replace("-Werror ", ""), encoding="utf-8")
        self.run("cmake", "--preset", "release")

    def run(self, *words):
        done = subprocess.run(words, cwd=self.folder, text=True, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def build(self, mutant):
        """Its program. The sources are put back once it is there."""
        sources = {path: (self.folder / path).read_text(encoding="utf-8") for path, _, _ in mutant.edits}
        for path, old, new in mutant.edits:
            text = (self.folder / path).read_text(encoding="utf-8")
            (self.folder / path).write_text(text.replace(old, new), encoding="utf-8")
        self.run("cmake", "--build", "--preset", "release", "--target", mutant.unit or "pgtier", "-j2")
        for path, source in sources.items():
            (self.folder / path).write_text(source, encoding="utf-8")
        return self.folder / "build/release" / (f"tests/{mutant.unit}" if mutant.unit else "pgtier")


def check(program, options):
    """The checker's exit status and what it said."""
    done = subprocess.run(["/usr/bin/python3", str(ROOT / "tests/checker/checker.py"), "--first", "--seconds", SECONDS, *options],
                          text=True, capture_output=True, check=False, env=dict(os.environ, PGTIER_BIN=str(program)))
    return done.returncode, done.stdout + done.stderr


def check_unit(program):
    done = subprocess.run([str(program)], cwd=ROOT / "tests/unit", text=True, capture_output=True, check=False)
    return int(done.returncode > 0), done.stdout + done.stderr


def outdated():
    """What the mutants would replace and is not there, or not once."""
    return [f"{name}: {path} does not hold {old!r} once" for name, mutant in MUTANTS.items() for path, old, _ in mutant.edits
            if (ROOT / path).read_text(encoding="utf-8").count(old) != 1]


def main(names):
    missed = 0
    if outdated():
        raise SystemExit("\n".join(outdated()))
    if names == ["--check"]:
        return 0
    with tempfile.TemporaryDirectory(prefix="pgtier-mutants-") as folder:
        tree = Tree(pathlib.Path(folder))
        for name in names or MUTANTS:
            program = tree.build(MUTANTS[name])
            began = time.monotonic()
            status, said = check_unit(program) if MUTANTS[name].unit else check(program, MUTANTS[name].options)
            caught = status == 1 and ("STALE" in said or MUTANTS[name].unit)
            missed += not caught
            print(f"{name} ({MUTANTS[name].what}): {'caught' if caught else 'NOT CAUGHT'} in {time.monotonic() - began:.0f} s", flush=True)
            if not caught:
                print(said[-3000:], flush=True)
    print(f"{len(names or MUTANTS) - missed} of {len(names or MUTANTS)} mutants caught")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
