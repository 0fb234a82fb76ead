#!/usr/bin/env bash
# What causal reads cost per read and per write, beside the same with `freshness: unbounded` and in a fleet of two. Options: --rounds 3 --seconds 4 --scale 1
exec /usr/bin/python3 "$(dirname "$0")/bench.py" causality "$@"
