"""Measures pgtier beside a direct connection and PgBouncer, on throwaway servers. See README.md."""
import argparse
import collections
import contextlib
import itertools
import os
import pathlib
import pwd
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

from cluster import Cluster, Process, free_port  # noqa: E402 (its folder is known only now)
from proxy import Pgtier  # noqa: E402
from rows import evaluation, user  # noqa: E402
from wire import Raw, rows  # noqa: E402

MODES = ["simple", "extended", "prepared"]
USER = "app_trust"
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process with all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


class Pgbouncer:
    """PgBouncer in front of the primary; transaction pooling knows named statements from 1.21 on."""

    def __init__(self, cluster, folder, mode):
        self.binary = os.environ.get("PGBOUNCER_BIN") or shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        self.port, self.folder = free_port(), folder
        version = subprocess.run([self.binary, "--version"], text=True, capture_output=True, check=True).stdout
        self.version = re.search(r"(\d+)\.(\d+)", version).group(0)
        knows = tuple(map(int, self.version.split("."))) >= (1, 21)
        self.pooling = "session" if mode == "prepared" and not knows else "transaction"
        settings = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "trust",
                    "auth_file": folder / "users.txt", "pool_mode": self.pooling, "default_pool_size": 20,
                    "max_client_conn": 4000, "log_connections": 0, "log_disconnections": 0}
        if knows:
            settings["max_prepared_statements"] = 200
        (folder / "users.txt").write_text(f'"{USER}" ""\n', encoding="ascii")
        self.ini = folder / f"pgbouncer-{mode}.ini"
        self.ini.write_text(f"[databases]\napp = host=127.0.0.1 port={cluster.primary.port} dbname=app\n[pgbouncer]\n"
                            + "".join(f"{k} = {v}\n" for k, v in settings.items()), encoding="ascii")
        self.process = None

    def start(self):
        who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = Process("pgbouncer", [self.binary, str(self.ini)], self.folder / "pgbouncer.log", **who)
        until = time.monotonic() + 10
        while True:
            try:
                with Raw(self.port, USER):
                    return self
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def stop(self):
        self.process.stop(signal.SIGINT)


@contextlib.contextmanager
def servers(scale, **more):
    """A primary with pgbench's tables, and a folder; `more` as the Cluster has it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pgtier-bench-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    cluster = Cluster(folder / "cluster", **{"with_replica": False, "with_redis": False, **more})
    try:
        cluster.start()
        cluster.load(100)
        subprocess.run(["pgbench", "-i", "-q", "-s", str(scale), cluster.primary.url()], check=True, capture_output=True)
        cluster.primary.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_trust; CHECKPOINT")
        yield cluster, folder
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def pgtier(cluster, folder):
    """As it ships, but trusting, in transaction mode with 20 servers, and the primary alone: like for like."""
    os.environ.setdefault("PGTIER_BIN", str(ROOT / "build/release/pgtier"))
    return Pgtier(cluster, folder / "pgtier", {"auth": {"type": "trust"}, "listen": {"max_clients": 4000},
                                               "pool": {"mode": "transaction", "size": 20}}).start()


def pgbench(port, mode, folder, *words, script=None):
    """(tps, transactions, latencies in ms) of one run, select-only or of a script."""
    prefix = folder / "latency"
    for old in folder.glob("latency.*"):
        old.unlink()
    done = subprocess.run(["pgbench", "-n", *(["-f", str(script)] if script else ["-S"]), "-M", mode, "-c", "20", "-j", "2", "-l", f"--log-prefix={prefix}", *words,
                           f"postgresql://{USER}@127.0.0.1:{port}/app"], text=True, capture_output=True, check=False)
    if done.returncode or "number of failed transactions: 0 " not in done.stdout:
        raise SystemExit(done.stdout + done.stderr)
    latencies = sorted(int(line.split()[2]) / 1000 for log in folder.glob("latency.*") for line in open(log, encoding="ascii"))
    tps = float(re.search(r"^tps = ([\d.]+)", done.stdout, re.M)[1])
    return tps, len(latencies), latencies


def quantile(ordered, q):
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def measure(port, pid, mode, folder, seconds, script=None):
    before = cpu_seconds(pid) if pid else 0
    tps, count, latencies = pgbench(port, mode, folder, "-T", str(seconds), script=script)
    row = {"tps": tps, "p50": quantile(latencies, 0.50), "p99": quantile(latencies, 0.99)}
    if pid:
        row |= {"cpu": (cpu_seconds(pid) - before) / count * 1e6, "rss": rss(pid) / 2 ** 20}
    return row


def compare(options):
    with servers(options.scale) as (cluster, folder), contextlib.ExitStack() as stack:
        proxy = pgtier(cluster, folder)
        stack.callback(proxy.stop)
        print(f"select-only, 20 clients, {options.rounds} rounds of {options.seconds} s, medians; "
              f"{os.cpu_count()} processors shared by all")
        print(f"{'mode':9} {'target':28} {'tps':>8} {'p50 ms':>8} {'p99 ms':>8} {'cpu us/query':>13} {'rss MB':>7}   ratio of tps")
        for mode in MODES:
            bouncer = Pgbouncer(cluster, folder, mode).start()
            try:
                compare_mode(mode, cluster, proxy, bouncer, folder, options)
            finally:
                bouncer.stop()


def compare_mode(mode, cluster, proxy, bouncer, folder, options):
    targets = {"direct": (cluster.primary.port, None),
               f"PgBouncer {bouncer.version} ({bouncer.pooling})": (bouncer.port, bouncer.process.pid),
               "pgtier (transaction)": (proxy.port, proxy.process.pid)}
    rows = collections.defaultdict(list)
    names = list(targets)
    for port, _ in targets.values():
        pgbench(port, mode, folder, "-T", "1")  # warm
    for turn in range(options.rounds):
        for name in names[turn % 3:] + names[:turn % 3]:
            rows[name].append(measure(*targets[name], mode, folder, options.seconds))
    medians = {name: {k: statistics.median(r[k] for r in rows[name]) for k in rows[name][0]} for name in names}
    for name in names:
        m = medians[name]
        own = f"{m['cpu']:13.1f} {m['rss']:7.1f}" if "cpu" in m else f"{'-':>13} {'-':>7}"
        ratio = "" if name == "direct" else f"{m['tps'] / medians['direct']['tps']:.2f} of direct"
        if name.startswith("pgtier"):
            ratio += f", {m['tps'] / medians[names[1]]['tps']:.2f} of PgBouncer"
        print(f"{mode:9} {name:28} {m['tps']:8.0f} {m['p50']:8.3f} {m['p99']:8.3f} {own}   {ratio}", flush=True)


CAUSALITY = {  # what is done: a script of pgbench
    "reads": "\\set aid random(1, 100000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n",
    "writes": "\\set aid random(1, 100000)\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n",
    "9 reads, 1 write": "\\set aid random(1, 100000)\n" + "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n" * 9
    + "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n",
}


def causality(options):
    """What causal reads cost: the same with `freshness: unbounded`, and in a fleet of two, beside a replica."""
    os.environ.setdefault("PGTIER_BIN", str(ROOT / "build/release/pgtier"))
    relation = {"pgbench_accounts": {"dimensions": ["aid"], "unique": ["aid"]}}
    with servers(options.scale, with_replica=True, with_redis=True) as (cluster, folder), contextlib.ExitStack() as stack:
        cluster.primary.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO app_trust")
        cluster.catch_up()
        proxies = {}
        for name, over in {"unbounded": {"defaults": {"freshness": "unbounded"}}, "causal": {},
                           "causal, fleet": {"freshness": {"ledger": cluster.redis.url}},
                           "(its other member)": {"freshness": {"ledger": cluster.redis.url}}}.items():
            proxies[name] = Pgtier(cluster, folder / f"p{len(proxies)}", {
                "auth": {"type": "trust"}, "relations": relation, "pool": {"mode": "transaction", "size": 20}, **over}).start()
            stack.callback(proxies[name].stop)
        targets = {"direct": (cluster.primary.port, None)} | {
            name: (proxy.port, proxy.process.pid) for name, proxy in proxies.items() if not name.startswith("(")}
        print(f"20 clients, {options.rounds} rounds of {options.seconds} s, medians; a transaction is one statement, or ten")
        print(f"{'what':18} {'target':16} {'tps':>8} {'p50 ms':>8} {'p99 ms':>8} {'cpu us/transaction':>19}")
        for what, text in CAUSALITY.items():
            script = folder / "script.sql"
            script.write_text(text, encoding="ascii")
            found = collections.defaultdict(list)
            for _ in range(options.rounds):
                for name, target in targets.items():
                    found[name].append(measure(*target, "prepared", folder, options.seconds, script))
            for name, measured in found.items():
                m = {k: statistics.median(one[k] for one in measured) for k in measured[0]}
                print(f"{what:18} {name:16} {m['tps']:8.0f} {m['p50']:8.3f} {m['p99']:8.3f} "
                      f"{format(m['cpu'], '19.1f') if 'cpu' in m else '-':>19}", flush=True)


def syscalls(options):
    """System calls of the proxy per select, counted by strace."""
    with servers(options.scale) as (cluster, folder), contextlib.ExitStack() as stack:
        proxy = pgtier(cluster, folder)
        stack.callback(proxy.stop)
        worst = 0
        for mode in MODES:
            pgbench(proxy.port, mode, folder, "-t", "100")
            out = folder / "strace.txt"
            strace = subprocess.Popen(["strace", "-c", "-f", "-U", "calls,name", "-o", str(out), "-p",
                                       str(proxy.process.pid)], stderr=subprocess.PIPE, text=True)
            strace.stderr.readline()  # attached
            _, count, _ = pgbench(proxy.port, mode, folder, "-t", str(options.transactions))
            strace.send_signal(signal.SIGINT)
            strace.wait(30)
            calls = {name: int(n) for n, name in re.findall(r"^\s*(\d+)\s+(\w+)$", out.read_text(), re.M) if name != "total"}
            per = sum(calls.values()) / count
            worst = max(worst, per)
            most = ", ".join(f"{name} {n / count:.2f}" for name, n in sorted(calls.items(), key=lambda c: -c[1])[:6])
            print(f"{mode:9} {per:5.2f} system calls per select ({most})", flush=True)
        if worst > options.limit:
            raise SystemExit(f"more than {options.limit}")


def idle(options):
    """Resident memory per idle client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = options.clients + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(f"{options.clients} clients need ulimit -n {wanted}; the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))  # inherited by the proxies
    with servers(1) as (cluster, folder):
        for name, make in ("pgtier", lambda: pgtier(cluster, folder)), \
                ("PgBouncer", lambda: Pgbouncer(cluster, folder, "simple").start()):
            target, clients = make(), []
            try:
                with Raw(target.port, USER) as first:
                    first.query("SELECT 1")
                before = rss(target.process.pid)
                for _ in range(options.clients):
                    clients.append(Raw(target.port, USER))
                connected = rss(target.process.pid)
                for client in clients:
                    client.query("SELECT 1")
                asked = rss(target.process.pid)
                print(f"{name:10} {before / 2 ** 20:6.1f} MB alone; {options.clients} idle clients: "
                      f"{(connected - before) / options.clients:6.0f} bytes each, after a query each "
                      f"{(asked - before) / options.clients:6.0f}", flush=True)
            finally:
                for client in clients:
                    client.socket.close()
                target.stop()


def install_feed(cluster, proxy):
    """As the superuser, who owns the tables."""
    file = proxy.conf.parent / "feed.yaml"
    file.write_text(proxy.conf.read_text(encoding="utf-8").replace(cluster.primary.url("app"), cluster.primary.url("postgres")), encoding="utf-8")
    subprocess.run([os.environ["PGTIER_BIN"], "feed", "install", str(file)], check=True, capture_output=True)


def write_others(cluster, stop, rate):
    """So many writes a second to rows that nobody reads, straight to the primary; returns how many there were."""
    connection = Raw(cluster.primary.port, "postgres")
    count, begun = 0, time.monotonic()
    while not stop.is_set():
        while count < (time.monotonic() - begun) * rate:
            connection.query(f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = {1000 + count % 50000}")
            count += 1
        time.sleep(0.001)
    return count


def until_new(cluster, client, turns):
    """ms from the commit of a write that bypasses pgtier to the last old answer."""
    direct, found = Raw(cluster.primary.port, "postgres"), []
    read = "SELECT abalance FROM pgbench_accounts WHERE aid = 7"
    for turn in range(turns):
        for _ in range(50):
            client.query(read)  # kept
        direct.query(f"UPDATE pgbench_accounts SET abalance = {turn} WHERE aid = 7")
        committed = last_old = time.monotonic()
        until = committed + 0.5
        while time.monotonic() < until:
            asked = time.monotonic()
            if rows(client.query(read)) != [[str(turn).encode()]]:
                last_old = asked
            elif asked - last_old > 0.05:
                break
        found.append((last_old - committed) * 1000)
    return sorted(found)


def feed(options):
    """How long a write that bypasses pgtier stays unseen in the cache."""
    os.environ.setdefault("PGTIER_BIN", str(ROOT / "build/release/pgtier"))
    with servers(1) as (cluster, folder):
        cluster.primary.sql("ALTER ROLE app REPLICATION; ALTER TABLE pgbench_accounts REPLICA IDENTITY FULL")
        for kind in "notify", "wal":
            proxy = Pgtier(cluster, folder / kind, {
                "auth": {"type": "trust"}, "databases": {"app": {"feed": kind}},
                "relations": {"pgbench_accounts": {"dimensions": ["aid"], "unique": ["aid"]}},
                "operations": {"kept": {"match": {"statement": "select", "relation": "pgbench_accounts"}, "cache": "kept"}},
                "cache": {"classes": {"kept": {"key": "kept:{aid}", "ttl": "1h"}}}}).start()
            try:
                install_feed(cluster, proxy)
                for rate in 0, options.rate:
                    feed_beside(cluster, proxy, kind, rate, options.turns)
            finally:
                proxy.stop()


def feed_beside(cluster, proxy, kind, rate, turns):
    """Beside so many other writes a second."""
    client, stop, counted = Raw(proxy.port, USER), threading.Event(), []
    writer = threading.Thread(target=lambda: counted.append(write_others(cluster, stop, rate)))
    begun, cached, cpu = time.monotonic(), proxy.by_source().get("cache", 0), cpu_seconds(proxy.process.pid)
    if rate:
        writer.start()
    found = until_new(cluster, client, turns)
    stop.set()
    if rate:
        writer.join()
    took = time.monotonic() - begun
    print(f"{kind}, {sum(counted) / took:6.0f} other writes a second: last old answer after {quantile(found, 0.5):6.2f} ms (p50), "
          f"{quantile(found, 0.99):6.2f} ms (p99); {(proxy.by_source().get('cache', 0) - cached) / took:.0f} answers a second from the cache, "
          f"{(cpu_seconds(proxy.process.pid) - cpu) / took:.0%} of a processor", flush=True)


PAID = "subscription_tier IN ('professional', 'enterprise')"
COLUMNS = "id, user_id, subscription_tier, health_score, professional_data"


def strategy_load(port, dice, weights, users, count):
    """95 % single fetches and lists of a user's evaluations, 5 % updates of one; users by Zipf."""
    with Raw(port, USER) as client:
        for _ in range(count):
            u, = dice.choices(range(1, users + 1), cum_weights=weights)
            n, chance = (u - 1) * 5 + dice.randint(1, 5), dice.random()
            if chance < 0.05:
                client.query(f"UPDATE business_evaluations SET health_score = health_score WHERE id = '{evaluation(n)}' AND user_id = '{user(u)}'")
            elif chance < 0.65:
                client.query(f"SELECT {COLUMNS} FROM business_evaluations WHERE id = '{evaluation(n)}' AND user_id = '{user(u)}' AND {PAID}")
            else:
                client.query(f"SELECT {COLUMNS} FROM business_evaluations WHERE user_id = '{user(u)}' AND {PAID} ORDER BY created_at DESC LIMIT 20")


def hits(options):
    """The share of the strategy's cacheable reads that the cache answers, with footprints by rows and by tables."""
    weights = list(itertools.accumulate(1 / rank ** options.zipf for rank in range(1, options.users + 1)))
    os.environ.setdefault("PGTIER_BIN", str(ROOT / "build/release/pgtier"))
    with servers(1) as (cluster, folder):
        cluster.load(options.users * 5)
        cluster.primary.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO app_trust; ANALYZE")
        for name, dimensions in ("by rows", ["id", "user_id"]), ("by tables", []):
            proxy = Pgtier(cluster, folder / name.replace(" ", "-"), {
                "auth": {"type": "trust"}, "relations": {"business_evaluations": {"dimensions": dimensions, "unique": dimensions[:1]}},
                "operations": {"user_evaluations_list": {"cache": "list"}, "professional_evaluation_query": {"cache": "list"}},
                "cache": {"classes": {"list": {"key": "list:{user_id}", "ttl": "1h", "tier": ["professional", "enterprise"]}}}}).start()
            try:
                for count, told in (options.requests // 2, False), (options.requests, True):  # the first fills it
                    before, begun = proxy.by_source(), time.monotonic()
                    threads = [threading.Thread(target=strategy_load, args=(proxy.port, random.Random(seed), weights, options.users, count // 4))
                               for seed in range(4)]
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
                    after, took = proxy.by_source(), time.monotonic() - begun
                    cached = after.get("cache", 0) - before.get("cache", 0)
                    others = sum(v - before.get(k, 0) for k, v in after.items() if k != "cache")
                    if told:
                        writes = count * 0.05
                        print(f"footprints {name:10} {cached / (cached + others - writes):6.1%} of the reads from the cache "
                              f"({count / took:.0f} requests a second)", flush=True)
            finally:
                proxy.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    sub = parser.add_subparsers(required=True)
    for name, run, words in (("compare", compare, {"rounds": 3, "seconds": 5, "scale": 10}),
                             ("syscalls", syscalls, {"transactions": 1000, "scale": 1, "limit": 4.4}),
                             ("idle", idle, {"clients": 2000}), ("feed", feed, {"turns": 200, "rate": 1000}),
                             ("causality", causality, {"rounds": 3, "seconds": 4, "scale": 1}),
                             ("hits", hits, {"users": 2000, "requests": 80000, "zipf": 1.0})):
        one = sub.add_parser(name)
        one.set_defaults(run=run)
        for word, value in words.items():
            one.add_argument(f"--{word}", type=type(value), default=value)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
