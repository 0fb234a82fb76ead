#!/usr/bin/env bash
# The share of the strategy's reads that the cache answers (95 % single fetches and lists, 5 % updates, users by Zipf), with footprints by rows and by
# tables. Options: --users 2000 --requests 80000 --zipf 1.0
exec /usr/bin/python3 "$(dirname "$0")/bench.py" hits "$@"
