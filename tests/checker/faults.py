"""What is done to servers and proxies while the checker's clients work."""
import collections
import os
import random
import signal
import threading
import time

from cluster import Process, free_port

FAULTS = ["lag", "redis", "part", "replica", "pause", "proxy", "cut", "primary"]


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

    def stop(self):
        self.all(signal.SIGKILL)
        self.process.stop()


class Troublemaker:
    """Makes one fault after the other until the end, and puts each right again."""

    def __init__(self, registers, servers, proxies, plan):
        self.r, self.servers, self.proxies, self.faults = registers, servers, proxies, list(plan.faults)
        self.relays = plan.relays
        self.dice, self.made, self.fault = random.Random(plan.seed), collections.Counter(), None
        self.answers = collections.Counter()  # of proxies that are gone
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while self.faults and not self.r.ended(early=8):
                time.sleep(self.dice.uniform(2, 5))
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
        time.sleep(self.dice.uniform(2.5, 4))
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
        """What was sent on connections to the primary may be done or not."""
        self.relays["primary"].stop()
        self.relays["primary"].start()

    def replica(self):
        self.servers.replica.stop(signal.SIGQUIT)
        self.servers.replica.start()

    def proxy(self):
        target = self.dice.choice(self.proxies)
        self.answers.update(answers_of(target))
        target.kill()
        target.start(ready=False)
        self.answers.subtract(answers_of(target))

    def primary(self):
        self.servers.primary.stop(self.dice.choice([signal.SIGINT, signal.SIGQUIT]))
        self.servers.primary.start()


def answers_of(proxy):
    return collections.Counter({k: int(v) for k, v in proxy.by_source().items()})
