"""pgtier as the tests run it: the shipped rules with addresses, users and overrides of their own."""
import copy
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

import psycopg
import yaml

from cluster import PASSWORDS, ROOT, Process, free_port

SHIPPED = ROOT / "conf/pgtier.yaml"
REPORTS = re.compile(r"ERROR: (Address|Leak|Thread|Undefined)\w*Sanitizer|runtime error:|WARNING: ThreadSanitizer")


def binary():
    path = os.environ.get("PGTIER_BIN") or str(ROOT / "build/asan/pgtier")
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"no pgtier at {path}: build it, or set PGTIER_BIN")
    return path


def merge(base, over):
    """`over` laid on `base`: mappings are merged, anything else is replaced, None takes a key away."""
    for key, value in over.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = copy.deepcopy(value)
    return base


def settings(cluster, port, metrics_port, over):
    """The shipped file with this cluster's addresses. JSON is YAML, one key a line."""
    base = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    # What ships is for PostgreSQL and Redis wherever the environment says; these replace it whole.
    base["databases"] = {"app": {"primary": cluster.primary.url()}}
    if cluster.replica:
        base["databases"]["app"]["replicas"] = [
            {"url": cluster.replica.url(), "priority": 1, "location": "us-east-1"}]
        base["databases"]["app"]["max_lag"] = "30s"
    base["listen"] = {"address": "127.0.0.1", "port": port}
    base["metrics"] = {"address": "127.0.0.1", "port": metrics_port}
    base["auth"] = {"type": "scram-sha-256", "users": [
        {"name": "app", "password": PASSWORDS["app"]},
        {"name": "app_md5", "password": PASSWORDS["app_md5"]},
        {"name": "app_trust", "password": "trust-secret"}]}
    base["admin"] = {"users": ["app"]}
    base.setdefault("cache", {})["store"] = "memory"
    return merge(base, over)


class Pgtier:
    """One pgtier process. `over` is laid on the settings; see `settings`."""

    def __init__(self, cluster, folder, over=None, env=None):
        self.cluster, self.over, self.env = cluster, over or {}, env or {}
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.metrics_port = free_port(), free_port()
        self.conf, self.log = self.folder / "pgtier.yaml", self.folder / "pgtier.log"
        self.process = None

    def write_conf(self):
        conf = settings(self.cluster, self.port, self.metrics_port, self.over)
        self.conf.write_text(json.dumps(conf, indent=2) + "\n", encoding="utf-8")

    def start(self, ready=True):
        """Returns once it serves; with `ready` false, once it listens."""
        self.write_conf()
        # A small quarantine, so that resident memory says something under ASan too.
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99:quarantine_size_mb=16",
                   UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99",
                   TSAN_OPTIONS="exitcode=99:halt_on_error=0",
                   **self.env)
        self.process = Process("pgtier", [binary(), str(self.conf)], self.log, env=env)
        until = time.monotonic() + 30
        while True:
            if not self.process.alive():
                raise RuntimeError(f"pgtier ended with {self.process.popen.returncode}:\n{self.tail()}")
            try:
                if self.ready() if ready else self.listens():
                    return self
            except (OSError, psycopg.Error) as e:
                if time.monotonic() > until:
                    raise RuntimeError(f"pgtier is not ready: {e}\n{self.tail()}") from e
            if time.monotonic() > until:
                raise RuntimeError(f"pgtier is not ready\n{self.tail()}")
            time.sleep(0.05)

    def listens(self):
        with socket.create_connection(("127.0.0.1", self.port), 5):
            return True

    def ready(self):
        """It answers queries, sees its nodes and has opened its ledger: what it needs for every route."""
        with self.connect(autocommit=True) as c:
            c.execute("SELECT 1")
        opened = sum_by(self.metrics(), "pgtier_ledger_open", "database")
        return all(is_up(node) for node in self.admin("SHOW NODES")) and all(opened.values()) \
            and "no_catalog" not in self.explain("SELECT id FROM users", "app")

    def stop(self, timeout=30):
        """Ends it and fails if it, or a sanitizer in it, has something to complain about."""
        if not self.process:
            return
        was_alive = self.process.alive()
        status = self.process.stop(timeout=timeout)
        self.process = None
        text = self.log.read_text(errors="replace")
        found = REPORTS.search(text)
        assert not found, f"sanitizer report:\n{text[max(0, found.start() - 200):found.start() + 6000]}"
        assert was_alive, f"pgtier had ended by itself with {status}:\n{self.tail()}"
        assert status == 0, f"pgtier ended with {status}:\n{self.tail()}"

    def kill(self):
        """As a crash would end it; nothing is checked."""
        self.process.stop(signal.SIGKILL)
        self.process = None

    def reload(self, over=None, how="signal"):
        if over is not None:
            merge(self.over, over)
        self.write_conf()
        if how == "signal":
            self.process.kill(signal.SIGHUP)
            time.sleep(0.3)
        else:
            self.admin("RELOAD")

    def tail(self, lines=60):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def rss(self):
        """Resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def url(self, user="app", database="app", password=None):
        password = password or PASSWORDS.get(user, "trust-secret")
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def connect(self, user="app", database="app", **kwargs):
        return psycopg.connect(self.url(user, database), connect_timeout=30, **kwargs)

    def admin(self, text, database="pgtier"):
        """Rows of a console command as dicts by column name."""
        with psycopg.connect(self.url(database=database), autocommit=True, connect_timeout=30,
                             cursor_factory=psycopg.ClientCursor) as c:
            cursor = c.execute(text)
            if not cursor.description:
                return []
            names = [d.name for d in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def explain(self, sql, database=None):
        """The console's explanation of a statement, as one text; `database` where pgtier has several."""
        where = f"(DATABASE {database}) " if database else ""
        return "\n".join(" ".join(str(v) for v in row.values()) for row in self.admin(f"EXPLAIN ROUTE {where}{sql}"))

    def http(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=20) as reply:
            return reply.read().decode()

    def metrics(self):
        """[(name, labels, value)] of /metrics."""
        return parse_metrics(self.http("/metrics"))

    def by_source(self):
        """How many requests each source has answered until now: {"cache": n, ...}."""
        return sum_by(self.metrics(), "pgtier_request_seconds_count", "source")


def is_up(node):
    return any(str(v).lower() in ("up", "yes", "t", "true") for k, v in node.items() if k in ("up", "state"))


METRIC = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def parse_metrics(text):
    rows = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = METRIC.match(line)
        assert match, f"not a line of the Prometheus text format: {line!r}"
        rows.append((match[1], dict(LABEL.findall(match[2] or "")), float(match[3])))
    return rows


def sum_by(rows, name, label):
    sums = {}
    for found, labels, value in rows:
        if found == name and label in labels:
            sums[labels[label]] = sums.get(labels[label], 0) + value
    return sums


def check_file(path, *words):
    """`pgtier check` or `explain` on a file: (exit status, output)."""
    done = subprocess.run([binary(), words[0], str(path), *words[1:]], text=True, capture_output=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr
