#!/usr/bin/env bash
# Loads N realistic evaluations, their users and an audit trail into the schema of this folder.
#   sql/load.sh DATABASE_URL [N]           N defaults to 10000
# SEED (default 1) decides every value, JOBS (default: processors) the parallel sessions. The same N and SEED
# give the same rows whatever JOBS is; rows that exist are kept, so a greater N tops up. Names:
#   evaluation n   00000000-0000-4000-8000-<n as 12 hex digits>     n = 1, 2, ...
#   user u         10000000-0000-4000-8000-<u as 12 hex digits>     u = (n - 1) / 5 + 1
# Users 1 to 4 of every ten are professional, the fifth is enterprise, the others are basic; the fifth
# evaluation of a paying user dates from before the upgrade and is basic.
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 2 ] || { sed -n '2,3p' "$0" >&2; exit 2; }
url=$1 n=${2:-10000}
here=$(cd "$(dirname "$0")" && pwd)
seed=${SEED:-1} jobs=${JOBS:-$(nproc)}
case $n in '' | *[!0-9]* | 0) echo "$0: N must be a positive number, not '$n'" >&2; exit 2 ;; esac

# From here on it is cheaper to build the indexes once, after the rows.
bulk=100000

sql() { psql -X -q -v ON_ERROR_STOP=1 "$@" "$url"; }
secondary() {
    sql -At -c "SELECT 'DROP INDEX ' || indexrelid::regclass || ';' FROM pg_index
                WHERE indrelid IN ('business_evaluations'::regclass, 'professional_data_audit'::regclass)
                  AND NOT indisunique"
}

started=$(date +%s.%N)
[ "$n" -lt $bulk ] || secondary | sql

sql -v seed="$seed" -v first=1 -v last="$n" -f "$here/load_users.sql"

# Chunks small enough that a session's transaction stays short and the sessions end together.
chunk=$(((n + jobs - 1) / jobs))
[ $chunk -le 20000 ] || chunk=20000
seq 1 $chunk "$n" | xargs -P "$jobs" -I{} sh -c '
    last=$(({} + $0 - 1)); [ $last -le "$1" ] || last=$1
    exec psql -X -q -v ON_ERROR_STOP=1 -v seed="$2" -v first={} -v last=$last -f "$3" "$4"' \
    "$chunk" "$n" "$seed" "$here/load_evaluations.sql" "$url"
loaded=$(date +%s.%N)

if [ "$n" -ge $bulk ]; then
    # Nobody else writes meanwhile, and CONCURRENTLY reads the table twice.
    PGOPTIONS="${PGOPTIONS:-} -c maintenance_work_mem=512MB -c max_parallel_maintenance_workers=$jobs" \
        sql -f - < <(sed 's/ CONCURRENTLY//' "$here/002_indexes.sql")
fi
sql -c 'VACUUM (ANALYZE) users, business_evaluations, professional_data_audit'
finished=$(date +%s.%N)

awk -v n="$n" -v a="$started" -v b="$loaded" -v c="$finished" 'BEGIN {
    printf "%d evaluations in %.1f s (%.0f rows/s), indexes and statistics %.1f s\n",
           n, b - a, n / (b - a), c - b }'
