"""A throwaway primary, streaming replica and Redis on free loopback ports.

As a program it starts them with the schema and some rows, prints a list of URLs that a shell can
source, and stays until it is killed:

    python3 tests/integration/cluster.py --dir /tmp/c [--rows 1000] [--delay 300ms] [--no-redis]
"""
import argparse
import contextlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSWORDS = {"app": "app-secret", "app_md5": "md5-secret"}

HBA = """\
host    replication  postgres    127.0.0.1/32  trust
host    all          postgres    127.0.0.1/32  trust
host    all          app_trust   127.0.0.1/32  trust
host    all          app_md5     127.0.0.1/32  md5
host    all          all         127.0.0.1/32  scram-sha-256
"""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "logical",
    "max_wal_senders": "8",
    "max_replication_slots": "8",
    "wal_keep_size": "512MB",
    "max_connections": "200",
    "max_prepared_transactions": "64",
    "shared_buffers": "256MB",
    "checkpoint_timeout": "30min",
    "max_wal_size": "4GB",
    "log_line_prefix": "%m [%p] %u@%d %a ",
    "log_min_messages": "warning",
    "cluster_name": "",
    "jit": "off",
}


def free_port():
    """A port that nobody listens on now; the servers are started right after. None of those that the system gives to
    whoever connects: such a one may be taken in between."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def pg_bin(name):
    for folder in os.environ.get("PG_BIN", ""), "/usr/lib/postgresql/15/bin":
        if folder and os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    return shutil.which(name) or name


def as_postgres(argv):
    """PostgreSQL refuses to run as root; as anybody else it runs as that user."""
    return ["runuser", "-u", "postgres", "--", *argv] if os.geteuid() == 0 else argv


def run(argv, **kwargs):
    done = subprocess.run(argv, text=True, capture_output=True, check=False, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Process:
    """A child in a session of its own, which is stopped by its own pid."""

    def __init__(self, name, argv, log, **kwargs):
        self.name, self.log = name, pathlib.Path(log)
        self.out = open(log, "ab")
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.out,
                                      stderr=subprocess.STDOUT, start_new_session=True, **kwargs)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self, sig):
        if self.alive():
            os.kill(self.pid, sig)

    def stop(self, sig=signal.SIGTERM, timeout=30):
        """Its exit status. A child that outlives the timeout is killed."""
        self.kill(sig)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            self.popen.wait(10)
        self.out.close()
        return self.popen.returncode


class Postgres:
    """One PostgreSQL instance on a data folder, primary or standby."""

    def __init__(self, name, folder):
        self.name = name
        self.data = pathlib.Path(folder) / name
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.port = free_port()
        self.process = None

    def url(self, user="app", database="app"):
        password = f":{PASSWORDS[user]}" if user in PASSWORDS else ""
        return f"postgresql://{user}{password}@127.0.0.1:{self.port}/{database}"

    def start(self, wait=True):
        # The postmaster itself is the child (no runuser in between), so that its pid is known.
        who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = Process(self.name, [pg_bin("postgres"), "-D", str(self.data), "-p", str(self.port)],
                               self.log, cwd=self.data, **who)
        if wait:
            self.wait()

    def wait(self, timeout=60):
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if not self.process.alive():
                raise RuntimeError(f"{self.name} did not start: see {self.log}")
            done = subprocess.run([pg_bin("psql"), "-XAtqc", "SELECT 1", self.url("postgres", "postgres")],
                                  capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} is not ready after {timeout} s: see {self.log}")

    def stop(self, how=signal.SIGINT):
        """SIGINT is a fast shutdown, SIGQUIT an immediate one."""
        if self.process:
            self.process.stop(how)
            self.process = None

    def sql(self, text, user="postgres", database="app"):
        return run([pg_bin("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text,
                    self.url(user, database)]).rstrip("\n")

    def set(self, name, value):
        """Changes a reloadable setting and returns once the server has taken it."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'", database="postgres")
        self.sql("SELECT pg_reload_conf()", database="postgres")
        time.sleep(0.2)


class Redis:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "redis"
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process = Process("redis", ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                                         "--save", "", "--appendonly", "no", "--dir", str(self.folder),
                                         "--maxmemory", "256mb"], self.folder.parent / "redis.log")
        until = time.monotonic() + 20
        while self.cli("PING", check=False) != "PONG":
            if time.monotonic() > until or not self.process.alive():
                raise RuntimeError(f"redis did not start: see {self.folder.parent}/redis.log")
            time.sleep(0.05)

    def cli(self, *words, check=True):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], text=True, capture_output=True,
                              timeout=10, check=False)
        if check and done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def keys(self, pattern="*"):
        return [k for k in self.cli("--scan", "--pattern", pattern).splitlines() if k]

    def stop(self):
        if self.process:
            self.process.kill(signal.SIGCONT)
            self.process.stop()
            self.process = None


class Cluster:
    """primary, replica (may be None) and redis (may be None); `stop` ends what is still running."""

    def __init__(self, folder, delay=None, with_replica=True, with_redis=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.delay = delay
        self.primary = Postgres("primary", self.folder)
        self.replica = Postgres("replica", self.folder) if with_replica else None
        self.redis = Redis(self.folder) if with_redis else None

    def start(self):
        try:
            self.start_primary()
            if self.replica:
                self.start_replica()
            if self.redis:
                self.redis.start()
        except BaseException:
            self.stop()
            raise
        return self

    def start_primary(self):
        if not (self.primary.data / "PG_VERSION").exists():
            run(as_postgres([pg_bin("initdb"), "-D", str(self.primary.data), "-U", "postgres", "-A", "trust",
                             "-E", "UTF8", "--locale", "C.UTF-8", "-N"]), cwd=self.folder)
            (self.primary.data / "pg_hba.conf").write_text(HBA)
            with open(self.primary.data / "postgresql.conf", "a", encoding="ascii") as conf:
                conf.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        self.primary.start()
        if self.primary.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'app'", database="postgres") == "0":
            self.make_roles()

    def make_roles(self):
        sql = self.primary.sql
        sql("CREATE ROLE app LOGIN PASSWORD 'app-secret'; CREATE ROLE app_trust LOGIN IN ROLE app;"
            "SET password_encryption = 'md5'; CREATE ROLE app_md5 LOGIN PASSWORD 'md5-secret' IN ROLE app;"
            "GRANT pg_monitor TO app", database="postgres")
        sql("CREATE DATABASE app OWNER app", database="postgres")

    def start_replica(self):
        if not (self.replica.data / "PG_VERSION").exists():
            run(as_postgres([pg_bin("pg_basebackup"), "-R", "-X", "stream", "-c", "fast", "-D",
                             str(self.replica.data), "-d", self.primary.url("postgres", "")]),
                cwd=self.folder)
            if self.delay:
                with open(self.replica.data / "postgresql.conf", "a", encoding="ascii") as conf:
                    conf.write(f"recovery_min_apply_delay = '{self.delay}'\n")
        self.replica.start()

    def load(self, rows, seed=1):
        env = dict(os.environ, SEED=str(seed))
        run([str(ROOT / "sql/apply.sh"), self.primary.url()], env=env)
        if rows:
            run([str(ROOT / "sql/load.sh"), self.primary.url(), str(rows)], env=env)

    def catch_up(self, timeout=60):
        """Returns once the replica has replayed what the primary has written until now."""
        lsn = self.primary.sql("SELECT pg_current_wal_lsn()")
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self.replica.sql(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'", database="postgres") == "t":
                return
            time.sleep(0.05)
        raise RuntimeError(f"the replica has not reached {lsn} in {timeout} s")

    def environment(self):
        env = {"PRIMARY_URL": self.primary.url(), "PRIMARY_PORT": self.primary.port,
               "PRIMARY_SUPERUSER_URL": self.primary.url("postgres")}
        env["DATABASE_PRIMARY_URL"] = env["PRIMARY_URL"]
        if self.replica:
            env |= {"REPLICA_URL": self.replica.url(), "REPLICA_PORT": self.replica.port,
                    "DATABASE_READ_REPLICA_1_URL": self.replica.url()}
        if self.redis:
            env |= {"REDIS_URL": self.redis.url, "REDIS_PORT": self.redis.port}
        return env

    def stop(self):
        for part in self.redis, self.replica, self.primary:
            if part:
                part.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dir", required=True, help="folder for data and logs; what is there is started again")
    parser.add_argument("--rows", type=int, default=1000, help="evaluations to load (1000)")
    parser.add_argument("--delay", help="recovery_min_apply_delay of the replica")
    parser.add_argument("--no-replica", action="store_true")
    parser.add_argument("--no-redis", action="store_true")
    options = parser.parse_args()

    for sig in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        signal.signal(sig, lambda *_: sys.exit(0))
    cluster = Cluster(options.dir, options.delay, not options.no_replica, not options.no_redis)
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.stop)
        cluster.start()
        cluster.load(options.rows)
        for name, value in cluster.environment().items():
            print(f"export {name}='{value}'")
        print("# ready", flush=True)
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
