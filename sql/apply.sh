#!/usr/bin/env bash
# Applies the numbered scripts of this folder in their order. May be run again.
#   sql/apply.sh postgresql://user@host:port/database
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 DATABASE_URL" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)

for script in "$here"/[0-9][0-9][0-9]_*.sql; do
    PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" \
        psql -X -q -v ON_ERROR_STOP=1 -f "$script" "$1"
done
