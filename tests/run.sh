#!/usr/bin/env bash
# Everything that has to hold: packages, builds, unit tests, lint, format, integration tests under sanitizers.
#   tests/run.sh          the set for every change
#   tests/run.sh --long   and what takes longer: statements at random, mutants, fuzzers, the thread sanitizer
# Environment: JOBS (processors), PGTIER_FRESHNESS_SECONDS (60), PGTIER_FUZZ_SECONDS (60), PYTEST_ARGS.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
long=
case ${1-} in
'') ;;
--long) long=yes ;;
*) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac
jobs=${JOBS:-$(nproc)}
results=() failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# step NAME COMMAND...: runs it, keeps the verdict, the time and the closing line of ctest or pytest.
step() {
    local name=$1 began=$SECONDS verdict=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$log" || { verdict=FAILED; failed=1; }
    results+=("$(printf '%-26s %-7s %4d s   %s' "$name" $verdict $((SECONDS - began)) \
        "$(grep -E '^[0-9]+% tests passed|^(=+ )?[0-9]+ (passed|failed).* in ' "$log" | tail -n 1)")")
    [ $verdict = ok ]
}

finish() {
    printf '\n== summary (%d s)\n' $SECONDS
    printf '%s\n' "${results[@]}"
    exit $failed
}

build() {
    [ -e "build/$1/CMakeCache.txt" ] || CMAKE_GENERATOR=Ninja cmake --preset "$1" >/dev/null || return
    cmake --build --preset "$1" -j "$jobs"
}

format() {
    git ls-files -z 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs -0 -r clang-format --dry-run -Werror
}

pytest() {
    # shellcheck disable=SC2086 # PYTEST_ARGS are words
    PGTIER_BIN="$PWD/build/$1/pgtier" /usr/bin/python3 -m pytest -p no:cacheprovider -q -rs --durations=8 \
        "${@:2}" ${PYTEST_ARGS-}
}

fuzz() {
    local fuzzer corpus status=0
    for fuzzer in build/fuzz/tests/fuzz_*; do
        [ -x "$fuzzer" ] || continue
        corpus=$(mktemp -d)
        "$fuzzer" -max_total_time="${PGTIER_FUZZ_SECONDS:-60}" -print_final_stats=1 -rss_limit_mb=2048 \
            -artifact_prefix="$corpus/" "$corpus" >"$corpus.log" 2>&1 ||
            { status=1; echo "$(basename "$fuzzer"): failed, see $corpus.log"; tail -n 30 "$corpus.log"; continue; }
        echo "$(basename "$fuzzer"): $(sed -n 's/^stat::number_of_executed_units: *//p' "$corpus.log") inputs, nothing found"
        rm -rf "$corpus" "$corpus.log"
    done
    return $status
}

step packages tests/packages.sh || finish
step 'build asan' build asan || finish
step 'build release' build release || finish
step 'unit tests' ctest --test-dir build/asan -j 2 --output-on-failure
step layers python3 tests/lint/layers.py src
step 'mutants, their lines' /usr/bin/python3 tests/mutants/run.py --check
step model /usr/bin/python3 tests/model/run.py
step format format
step 'integration tests (asan)' pytest asan tests/integration

if [ -n "$long" ]; then
    step 'statements at random' pytest asan tests/integration/long_property.py
    for store in memory redis; do
        step "checker with faults ($store)" env PGTIER_BIN="$PWD/build/asan/pgtier" /usr/bin/python3 tests/checker/checker.py --store $store \
            --seconds 180 --faults redis,replica,proxy,primary
    done
    step 'model, larger' /usr/bin/python3 tests/model/run.py --long
    step mutants /usr/bin/python3 tests/mutants/run.py
    step 'build fuzz' build fuzz && step fuzzers fuzz
    step 'build tsan' build tsan && step 'integration tests (tsan)' pytest tsan \
        tests/integration/test_{clients,pool,cache,routing,admin,freshness}.py
fi
finish
