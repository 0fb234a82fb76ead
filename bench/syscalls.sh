#!/usr/bin/env bash
# System calls per select at 20 clients in the three query modes; fails above --limit 4.4. Options: --transactions 1000
exec /usr/bin/python3 "$(dirname "$0")/bench.py" syscalls "$@"
