#!/usr/bin/env bash
# pgtier on your machine in one go: installs what is missing, builds, starts a primary, a streaming replica, Redis and
# pgtier, loads evaluations, shows what a read and a write do, and stays until Ctrl-C. Nothing outside RUN is touched.
#   ./quickstart.sh [--once]      --once: end after the table
# Environment (default):
#   PGTIER_PORT (6432)  PGTIER_METRICS_PORT (9432)  PGTIER_PRIMARY_PORT (6433)  PGTIER_REPLICA_PORT (6434)
#   PGTIER_REDIS_PORT (6435)  PGTIER_RUN (.run)  PGTIER_ROWS (10000)  PGTIER_BIN (built here)  PG_BIN (PostgreSQL's bin)
#   PGTIER_QUICKSTART_EXIT=1 is --once
set -euo pipefail
cd "$(dirname "$0")"

port=${PGTIER_PORT:-6432} metrics=${PGTIER_METRICS_PORT:-9432}
primary=${PGTIER_PRIMARY_PORT:-6433} replica=${PGTIER_REPLICA_PORT:-6434} redis=${PGTIER_REDIS_PORT:-6435}
run=${PGTIER_RUN:-.run} rows=${PGTIER_ROWS:-10000} once=${PGTIER_QUICKSTART_EXIT:-}
case ${1-} in
'') ;;
--once) once=1 ;;
*) sed -n '2,8p' "$0"; exit 2 ;;
esac

say() { printf '%s\n' "$*"; }
die() { say "quickstart: $*" >&2; exit 1; }

pids=()
stop() {
    trap '' INT TERM
    trap - EXIT
    local i pid
    # pgtier first, the primary last: the reverse of how they were started
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        pid=${pids[i]}
        # A fast shutdown of PostgreSQL is INT, which the others were born ignoring: that is how a shell starts a job.
        kill -INT "$pid" 2>/dev/null || continue
        [[ $(ps -o comm= -p "$pid") == postgres ]] || kill -TERM "$pid" 2>/dev/null || true # INT was enough
        timeout 20 tail --pid="$pid" -s 0.1 -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND...: in the background with a log, out of reach of the terminal's Ctrl-C, which is ours to pass on.
start() {
    local name=$1
    shift
    setsid "$@" >"$run/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

# until_ready NAME COMMAND...: waits until the command succeeds, or the server last started has ended.
until_ready() {
    local name=$1 i
    shift
    for ((i = 0; i < 200; i++)); do
        "$@" >/dev/null 2>&1 && return
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 15 "$run/$name.log" >&2
    die "$name did not start (log: $run/$name.log)"
}

say '1. packages and build'
tests/packages.sh
if [ -z "${PGTIER_BIN-}" ]; then
    [ -e build/release/CMakeCache.txt ] || CMAKE_GENERATOR=Ninja cmake --preset release >/dev/null
    cmake --build --preset release --target pgtier -j "$(nproc)" | tail -n 1
    PGTIER_BIN=$PWD/build/release/pgtier
fi
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
[ -x "$bin/postgres" ] || die "no PostgreSQL at $bin: set PG_BIN"
for p in $port $metrics $primary $replica $redis; do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || die "port $p is in use: see the environment at the top of this script"
done

# PostgreSQL refuses to run as root.
as=()
mkdir -p "$run"
run=$(cd "$run" && pwd)
data=$run/data
if [ "$(id -u)" -eq 0 ]; then
    as=(setpriv --reuid postgres --regid postgres --init-groups)
    # A checkout below /root is closed to user postgres: then its data lives elsewhere.
    if ! "${as[@]}" test -x "$run"; then
        data=/tmp/pgtier-quickstart-$(stat -c %i "$run")
        say "   $run is closed to user postgres: data goes to $data"
    fi
    install -d -o postgres -g postgres -m 700 "$data"
else
    mkdir -p "$data" && chmod 700 "$data"
fi

say '2. primary, streaming replica, Redis'
if [ ! -e "$data/primary/PG_VERSION" ]; then
    (cd "$data" && "${as[@]}" "$bin/initdb" -D "$data/primary" -U app -A trust -E UTF8 --locale C.UTF-8 -N) \
        >"$run/initdb.log" 2>&1 || die "initdb failed (log: $run/initdb.log)"
fi
postgres() {
    start "$1" "${as[@]}" "$bin/postgres" -D "$data/$1" -p "$2" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=200 -c shared_buffers=128MB \
        -c wal_level=logical -c max_wal_size=2GB -c wal_keep_size=256MB
    until_ready "$1" psql -Xqc 'SELECT 1' "postgresql://app@127.0.0.1:$2/postgres"
}
postgres primary "$primary"
if [ ! -e "$data/replica/PG_VERSION" ]; then
    (cd "$data" && "${as[@]}" "$bin/pg_basebackup" -R -X stream -c fast -D "$data/replica" \
        -d "postgresql://app@127.0.0.1:$primary/") >"$run/basebackup.log" 2>&1 ||
        die "pg_basebackup failed (log: $run/basebackup.log)"
fi
sed -i "s/port=[0-9]*/port=$primary/" "$data/replica/postgresql.auto.conf"
postgres replica "$replica"
start redis redis-server --port "$redis" --bind 127.0.0.1 --save '' --appendonly no --dir "$run"
until_ready redis redis-cli -p "$redis" ping

say "3. schema and $rows evaluations"
direct=postgresql://app@127.0.0.1:$primary/app
psql -XAtqc "SELECT 1 FROM pg_database WHERE datname = 'app'" "postgresql://app@127.0.0.1:$primary/postgres" | grep -q 1 ||
    psql -Xqc 'CREATE DATABASE app' "postgresql://app@127.0.0.1:$primary/postgres"
sql/apply.sh "$direct"
[ "$(psql -XAtqc 'SELECT count(*) FROM business_evaluations' "$direct")" -ge "$rows" ] ||
    sql/load.sh "$direct" "$rows" | sed 's/^/   /'

say '4. pgtier'
export DATABASE_PRIMARY_URL=$direct DATABASE_READ_REPLICA_1_URL=postgresql://app@127.0.0.1:$replica/app
export REDIS_URL=redis://127.0.0.1:$redis PGTIER_PORT=$port PGTIER_METRICS_PORT=$metrics
start pgtier "$PGTIER_BIN" conf/pgtier.yaml
url=postgresql://app@127.0.0.1:$port/app
until_ready pgtier psql -Xqc 'SELECT 1' "$url"

# Who answered is what pgtier itself counts: the line of SHOW TARGETS that grew by the request.
console=postgresql://app@127.0.0.1:$port/pgtier
counts() {
    psql -XAtqF'|' -c 'SHOW TARGETS' "$console" |
        awk -F'|' '$2 != "" && $3 != "" { print $3 "|" $1 "|" $2 "|" $11 "|" $5 }' | sort
}
row() { printf '   %-34s %-8s %10s   %-8s %s\n' "$@"; }
ask() {
    local title=$1 before said ms source operation target
    before=$(counts)
    said=$(psql -XAtq -c '\timing on' -c "$2" "$url")
    ms=$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' <<<"$said")
    IFS='|' read -r source operation _ target _ < <(comm -13 <(echo "$before") <(counts)) || true
    row "$title: $(head -n 1 <<<"$said" | cut -d "|" -f 1)" "${source:-?}" "$ms ms" "${target:--}" "${operation:--}"
}
evaluation=00000000-0000-4000-8000-000000000001 owner=10000000-0000-4000-8000-000000000001
read="SELECT 'health_score is ' || health_score, professional_data FROM business_evaluations
      WHERE id = '$evaluation' AND user_id = '$owner' AND subscription_tier IN ('professional', 'enterprise')"
write="UPDATE business_evaluations SET health_score = (health_score + 1) % 101, updated_at = now()
       WHERE id = '$evaluation' AND user_id = '$owner' RETURNING 'health_score is ' || health_score"
# Until pgtier knows the primary's position and catalog it trusts nothing but the primary, and keeps nothing.
for ((i = 0; i < 100; i++)); do
    psql -XAtq -c "EXPLAIN ROUTE $read" "$console" | grep -q '^route|replica' && break
    sleep 0.1
done
say
row '' 'source' 'latency' 'target' 'operation'
ask 'read' "$read"
ask 'read again' "$read"
ask 'and again' "$read"
ask 'write' "$write"
ask 'read' "$read"
ask 'read again' "$read"
say
say "DATABASE_URL=$url"
say "metrics      http://127.0.0.1:$metrics/metrics"
say "console      psql postgresql://app@127.0.0.1:$port/pgtier -c 'SHOW STATS'"
say "logs         $run"
[ -z "$once" ] || exit 0
say 'Ctrl-C stops everything.'
wait "${pids[-1]}" || true
die "pgtier has ended (log: $run/pgtier.log)"
