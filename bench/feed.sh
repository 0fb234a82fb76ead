#!/usr/bin/env bash
# How long a write that bypasses pgtier stays unseen in the cache with `feed: notify`, idle and beside other writes. Options: --turns 200 --rate 1000
exec /usr/bin/python3 "$(dirname "$0")/bench.py" feed "$@"
