"""What is done to servers and proxies while the checker's clients work."""
import collections
import contextlib
import os
import pathlib
import random
import signal
import threading
import time

from cluster import Process, as_postgres, free_port, pg_bin

FAULTS = ["lag", "redis", "part", "replica", "pause", "proxy", "cut", "hold", "early", "primary"]
RELAYED = {"cut": ["primary"], "hold": ["primary", "replica"], "early": ["replica"]}  # who is reached by a relay then


class Relay:
    """Passes connections on, and can be cut or stand still."""

    def __init__(self, log, target):
        self.log, self.target, self.port = log, target, free_port()
        self.start()

    def start(self):
        self.process = Process("relay", ["socat", f"TCP-LISTEN:{self.port},bind=127.0.0.1,fork,reuseaddr,backlog=128,nodelay",
                                         f"TCP:127.0.0.1:{self.target},nodelay"], self.log)

    def all(self, sig):
        """To every connection's own process too."""
        os.killpg(self.process.pid, sig)

    def one(self, dice, sig):
        """To one connection's process; returns its pid, or None where there is none."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = folder.read_text(encoding="ascii").split()
        pid = int(dice.choice(pids)) if pids else None
        if pid:
            self.to(pid, sig)
        return pid

    @staticmethod
    def to(pid, sig):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)

    def stop(self):
        self.all(signal.SIGKILL)
        self.process.stop()


class Slowpoke:
    """A synchronous standby of the primary that takes its time: commits are seen on the replica before they are on the primary."""

    def __init__(self, folder, primary):
        self.primary = primary
        self.relay = Relay(folder / "slowpoke.log", primary.port)
        (folder / "slowpoke").mkdir(mode=0o777)
        (folder / "slowpoke").chmod(0o777)
        self.process = Process("slowpoke", as_postgres([
            pg_bin("pg_receivewal"), "-D", str(folder / "slowpoke"), "--synchronous", "-d",
            f"host=127.0.0.1 port={self.relay.port} user=postgres application_name=slowpoke"]), folder / "slowpoke.log")
        primary.set("synchronous_standby_names", "slowpoke")

    def stop(self):
        self.primary.set("synchronous_standby_names", "")
        self.process.stop()
        self.relay.stop()


class Troublemaker:
    """Makes one fault after the other until the end, and puts each right again."""

    def __init__(self, registers, servers, proxies, plan):
        self.r, self.servers, self.proxies, self.faults = registers, servers, proxies, list(plan.faults)
        self.relays, self.slowpoke = plan.relays, plan.slowpoke
        self.dice, self.made, self.fault = random.Random(plan.seed), collections.Counter(), None
        self.answers = collections.Counter()  # of proxies that are gone
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while self.faults and not self.r.ended(early=8):
                time.sleep(self.dice.uniform(0.5, 4))
                kind = self.dice.choice(self.faults)
                getattr(self, kind)()
                self.made[kind] += 1
        except BaseException as fault:
            self.fault = f"no fault could be made: {fault!r}"

    def lag(self):
        """The replica replays nothing for a while."""
        self.servers.replica.sql("SELECT pg_wal_replay_pause()")
        time.sleep(self.dice.uniform(1, 3))
        self.servers.replica.sql("SELECT pg_wal_replay_resume()")

    def pause(self):
        """A proxy stands still for longer than its lease."""
        target = self.dice.choice(self.proxies)
        target.process.kill(signal.SIGSTOP)
        time.sleep(self.dice.uniform(3, 4.5))
        target.process.kill(signal.SIGCONT)

    def redis(self):
        """It is silent for a while, or dies with all that it has."""
        if self.dice.random() < 0.5:
            self.servers.redis.process.kill(signal.SIGSTOP)
            time.sleep(1)
            self.servers.redis.process.kill(signal.SIGCONT)
        else:
            self.servers.redis.stop()
            self.servers.redis.start()

    def part(self):
        """One proxy has no word from Redis for longer than its lease, the others have."""
        relay = self.dice.choice(self.relays["redis"])
        relay.all(signal.SIGSTOP)
        time.sleep(self.dice.uniform(2.5, 5))
        relay.all(signal.SIGCONT)

    def cut(self):
        """What was sent on some connections to the primary may be done or not."""
        for _ in range(20):
            self.relays["primary"].one(self.dice, signal.SIGKILL)
            time.sleep(0.1)

    def hold(self):
        """Single connections to the servers take their time."""
        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.hold_some("primary", 2, 0.1)
            self.hold_some("replica", 1, 0.02)

    def hold_some(self, name, count, seconds):
        pids = {self.relays[name].one(self.dice, signal.SIGSTOP) for _ in range(count)} - {None}
        time.sleep(seconds)
        for pid in pids:
            Relay.to(pid, signal.SIGCONT)

    def early(self):
        """The replica shows commits before the primary does, and what it was asked before, it answers after."""
        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.slowpoke.relay.all(signal.SIGSTOP)
            self.hold_some("replica", 1, 0.03)
            time.sleep(0.02)
            self.slowpoke.relay.all(signal.SIGCONT)
            time.sleep(0.005)

    def replica(self):
        self.servers.replica.stop(signal.SIGQUIT)
        self.servers.replica.start()

    def proxy(self):
        target = self.dice.choice(self.proxies)
        self.answers.update(answers_of(target))
        target.kill()
        target.start(ready=False)
        self.answers.subtract(answers_of(target))
        if len(self.proxies) > 1:
            time.sleep(8)  # until the others go on without the one that is gone

    def primary(self):
        self.servers.primary.stop(self.dice.choice([signal.SIGINT, signal.SIGQUIT]))
        self.servers.primary.start()


def answers_of(proxy):
    return collections.Counter({k: int(v) for k, v in proxy.by_source().items()})
