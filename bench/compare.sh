#!/usr/bin/env bash
# Direct, PgBouncer and pgtier side by side: tps, p50, p99, proxy CPU per query, RSS. Options: --rounds 3 --seconds 5 --scale 10
exec /usr/bin/python3 "$(dirname "$0")/bench.py" compare "$@"
