"""Clients that keep a pool's few servers in motion, with settings, transactions and statements of their own.

    python3 tests/integration/crowd.py URL [clients]

Without them one tested client would meet one server over and over. The names of their prepared statements are the
ones that drivers give, so that a mix-up between clients shows. It says "ready", stays until its input ends, and
prints what went wrong.
"""
import random
import sys
import threading
import time

import psycopg
from psycopg import pq

NAMES = [b"_pg3_0", b"S_1", b"S_2", b"__asyncpg_stmt_1__", b"__asyncpg_stmt_2__", b"s1", b"lrupsc_1_0"]
ZONES = ["Asia/Tokyo", "America/New_York", "Europe/Vienna", "UTC"]


def turn(client, number, dice):
    what = dice.randrange(4)
    if what == 0:
        zone = dice.choice(ZONES)
        client.execute(f"SET TIME ZONE '{zone}'")
        assert client.execute("SHOW TIME ZONE").fetchone() == (zone,)
    elif what == 1:
        with client.transaction():
            client.execute(f"SET LOCAL search_path = crowd_{number}")
            client.execute("SELECT pg_sleep(0.002)")
            assert client.execute("SHOW search_path").fetchone() == (f"crowd_{number}",)
    elif what == 2:
        name = dice.choice(NAMES)
        done = client.pgconn.exec_prepared(name, [b"7"])
        assert done.status == pq.ExecStatus.TUPLES_OK, done.error_message
        assert done.get_value(0, 0) == b"crowd %d: 7" % number, done.get_value(0, 0)
    else:
        try:
            client.execute("SELECT 1/0")
            raise AssertionError("no error")
        except psycopg.errors.DivisionByZero:
            pass


def work(url, number, begun, over, faults):
    dice = random.Random(number)
    while not over.is_set() and len(faults) < 20:
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=30, prepare_threshold=None,
                                 application_name=f"crowd {number}") as client:
                for name in NAMES:
                    client.pgconn.prepare(name, b"SELECT 'crowd %d: ' || $1" % number)
                begun.set()
                while not over.is_set():
                    turn(client, number, dice)
                    time.sleep(dice.uniform(0, 0.02))
        except BaseException as fault:  # noqa: reported below, whatever it is
            faults.append(f"crowd {number}: {fault!r}")
            begun.set()


def main():
    url, clients = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4
    over, faults = threading.Event(), []
    started = [threading.Event() for _ in range(clients)]
    threads = [threading.Thread(target=work, args=(url, n, started[n], over, faults)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for event in started:
        event.wait(60)
    print("ready", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join(30)
    if any(thread.is_alive() for thread in threads):
        faults.append("clients hang")
    print("\n".join(faults), flush=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
