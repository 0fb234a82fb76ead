"""Holds src/ to src/LAYERS: the direction of includes, one owner per library, headers that compile alone.

Silent when all is well; prints one line per fault. `--sizes` adds a note on stderr for each file that has grown
long: a question (does one noun live there, or several?), not a fault.
"""
import pathlib
import re
import subprocess
import sys

OWNERS = {  # third-party header -> the only files that may include it
    "uv.h": ("net/",),
    "libpq-fe.h": ("net/control.c", "net/ask.c"),
    "hiredis": ("net/redis.c",),
    "openssl/": ("base/crypt.c", "net/tls.c"),
    "jansson.h": ("app/reference.c",),
    "xxhash.h": ("base/hash.c",),
    "yaml.h": ("conf/yaml.c",),
    "pg_query": ("sql/analyse",),
    "protobuf": ("sql/analyse",),
    "zstd.h": ("cache/",),
    "microhttpd.h": ("stats/http.c",),
    "curl/": ("stats/",),
}
CAPS = {".h": 150, ".c": 600}


def rooms(src):
    may = {}
    for line in (src / "LAYERS").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            room, below = line.split(":")
            may[room] = set(below.split()) | {room}
    return may


def includes(name, text, may):
    room = name.split("/")[0]
    if room not in may:
        yield f"{name}: {room} is not in LAYERS"
        return
    for inc in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
        if inc.split("/")[0] not in may[room]:
            yield f"{name}: {room} may not include {inc}"
    for inc in re.findall(r"^\s*#\s*include\s+<([^>]+)>", text, re.M):
        for lib, owner in OWNERS.items():
            if inc.startswith(lib) and not name.startswith(owner):
                yield f"{name}: {lib} belongs to {', '.join(owner)}"


def alone(src, headers):
    """Every header compiles by itself, and twice in one unit."""
    for name in headers:
        done = subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                               f"-I{src}", "-xc", "-"], input=f'#include "{name}"\n#include "{name}"\n', text=True,
                              capture_output=True, check=False)
        if done.returncode:
            yield f"{name}: does not compile alone: {done.stderr.splitlines()[0]}"


def main(words):
    sizes = "--sizes" in words
    words = [w for w in words if w != "--sizes"]
    src = pathlib.Path(words[0] if words else "src")
    may, faults, headers = rooms(src), [], []
    for path in sorted(src.rglob("*.[ch]")):
        name, text = path.relative_to(src).as_posix(), path.read_text(encoding="utf-8")
        faults += includes(name, text, may)
        if path.suffix == ".h":
            headers.append(name)
            if "#pragma once" not in text:
                faults.append(f"{name}: no #pragma once")
        lines = text.count("\n")
        if sizes and lines > CAPS[path.suffix]:
            print(f"note: {name}: {lines} lines: does one noun live there, or several?", file=sys.stderr)
    faults += alone(src, headers)
    if faults:
        print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
