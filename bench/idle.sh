#!/usr/bin/env bash
# Resident memory per idle client. Options: --clients 2000
exec /usr/bin/python3 "$(dirname "$0")/bench.py" idle "$@"
