"""quickstart.sh, as a new user runs it: on ports and in a folder of its own, ended after the table."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from cluster import ROOT, free_port
from proxy import binary


def environment(folder):
    ports = {f"PGTIER_{name}PORT": str(free_port()) for name in ("", "METRICS_", "PRIMARY_", "REPLICA_", "REDIS_")}
    return dict(os.environ, PGTIER_RUN=folder, PGTIER_ROWS="500", PGTIER_BIN=binary(),
                ASAN_OPTIONS="detect_leaks=1:exitcode=99", **ports), [int(p) for p in ports.values()]


def is_open(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def hear_ctrl_c():
    """Whoever runs the tests in the background has it ignored, which a shell cannot take back."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_once_and_again():
    folder = tempfile.mkdtemp(prefix="pgtier-quickstart-", dir="/tmp")
    os.chmod(folder, 0o755)
    try:
        for _ in range(2):  # the second time on the data of the first
            env, ports = environment(folder)
            done = subprocess.run([str(ROOT / "quickstart.sh"), "--once"], env=env, text=True, capture_output=True, timeout=180,
                                  check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            rows = re.findall(r"^   ([a-z ]+): health_score is (\d+) +(\w+) +[\d.]+ ms +(\S+) +(\w+)$", done.stdout, re.M)
            assert [r[0] for r in rows] == ["read", "read again", "and again", "write", "read", "read again"], done.stdout
            scores = [int(r[1]) for r in rows]
            assert scores[:3] == [scores[0]] * 3 and scores[3:] == [(scores[0] + 1) % 101] * 3
            sources = [r[2] for r in rows]
            assert sources[0] in ("primary", "replica") and sources[1:3] == ["cache"] * 2, done.stdout
            assert sources[3] == "primary" and sources[4:] in (["primary", "cache"], ["replica", "cache"]), \
                done.stdout
            assert {r[4] for r in rows[:3]} == {"single_evaluation_fetch"} and rows[0][3] == "300ms"
            assert f"DATABASE_URL=postgresql://app@127.0.0.1:{env['PGTIER_PORT']}/app" in done.stdout
            assert not [port for port in ports if is_open(port)], "something still runs"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_ctrl_c_stops_everything():
    folder = tempfile.mkdtemp(prefix="pgtier-quickstart-", dir="/tmp")
    os.chmod(folder, 0o755)
    env, ports = environment(folder)
    try:
        with subprocess.Popen([str(ROOT / "quickstart.sh")], env=env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=hear_ctrl_c) as shell:
            said = ""
            for line in shell.stdout:
                said += line
                if line.startswith("Ctrl-C"):
                    break
            assert "DATABASE_URL=" in said, said
            assert len([port for port in ports if is_open(port)]) == 5
            os.killpg(shell.pid, signal.SIGINT)  # what a terminal does
            shell.wait(60)
        until = time.monotonic() + 10
        while [port for port in ports if is_open(port)]:
            assert time.monotonic() < until, "something still runs"
            time.sleep(0.1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_port_in_use_is_told():
    folder = tempfile.mkdtemp(prefix="pgtier-quickstart-", dir="/tmp")
    env, ports = environment(folder)
    try:
        with socket.create_server(("127.0.0.1", ports[0])):
            done = subprocess.run([str(ROOT / "quickstart.sh"), "--once"], env=env, text=True, capture_output=True, timeout=60,
                                  check=False)
        assert done.returncode == 1 and f"port {ports[0]} is in use" in done.stderr
    finally:
        shutil.rmtree(folder, ignore_errors=True)
