# SPDX-License-Identifier: MIT
# Steps of a test run, their logs, and the count at the end. Sourced after setup.sh.

begun=$(date +%s)

# No step may hang the run: this many seconds, then it is ended and has failed.
step_limit=900

steps_begin() {
    logs=$1
    rm -rf "$logs"
    mkdir -p "$logs"
    passed=0 failed=0 skipped=0 failures=
    trap steps_abandon EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# steps_abandon: cut off, what runs beside is told to end as well.
steps_abandon() {
    for file in "$logs"/*.pid; do
        [ ! -e "$file" ] || pkill -P "$(cat "$file")" 2>/dev/null
    done
}

# limited COMMAND...: runs it without input and for no longer than step_limit.
limited() { timeout --kill-after=10 "$step_limit" "$@" </dev/null; }

# of_interest: the end of a log, without the tests that passed.
of_interest() { grep -vE '^(ok |PASS: )' | tail -n 80 | sed 's/^/  | /'; }

# step NAME COMMAND...: passes or fails as the command does; shows its end when it fails.
step() {
    name=$1
    shift
    since=$(date +%s)
    if "$@" >"$logs/$name.log" 2>&1; then
        passed=$((passed + 1))
        say "ok - $name ($(($(date +%s) - since)) s)"
    else
        of_interest <"$logs/$name.log"
        step_failed "$name" "its whole output: $logs/$name.log"
    fi
}

step_failed() {
    failed=$((failed + 1))
    failures="$failures
  $1: $2"
    say "FAILED - $1: $2"
    return 1
}

# suite NAME COMMAND...: an Automake test suite; counts every test point in it. The summary
# comes twice where a test failed, once for the screen and once from test-suite.log.
suite() {
    name=$1
    shift
    since=$(date +%s)
    "$@" >"$logs/$name.log" 2>&1
    status=$?
    # What Automake says of those that failed, between its table of contents and the summary.
    sed -n '/^\.\. contents::/,/^Testsuite summary/{/^ok /d;/^PASS: /d;s/^/  | /p}' "$logs/$name.log"
    # shellcheck disable=SC2046
    set -- $(awk '/^# (PASS|SKIP|XFAIL|FAIL|XPASS|ERROR): / { n[$2] = $3 }
        END { print n["PASS:"] + n["XFAIL:"], n["FAIL:"] + n["XPASS:"] + n["ERROR:"], n["SKIP:"] + 0 }
        ' "$logs/$name.log")
    count_points "$name" "$status" "$@"
}

# tap NAME COMMAND...: a program that writes TAP, one plan or several, shown as it comes.
tap() {
    name=$1
    shift
    since=$(date +%s)
    tap_run "$@" | tee "$logs/$name.log" | grep --line-buffered -v '^exit status'
    tap_count "$name"
}

tap_run() {
    "$@" 2>&1
    say "exit status $?"
}

# tap_begin NAME COMMAND...: the same beside what comes next; tap_end NAME waits for it, shows
# it whole and counts it.
tap_begin() {
    name=$1
    shift
    date +%s >"$logs/$name.since"
    tap_run "$@" >"$logs/$name.log" &
    say $! >"$logs/$name.pid"
}

tap_end() {
    wait "$(cat "$logs/$1.pid")"
    since=$(cat "$logs/$1.since")
    rm -f "$logs/$1.pid" "$logs/$1.since"
    grep -v '^exit status' "$logs/$1.log"
    tap_count "$1"
}

# tap_count NAME: adds what the log of a run that has ended says.
tap_count() {
    name=$1
    # shellcheck disable=SC2046
    set -- $(awk '
        /^ok / { if (toupper($0) ~ /# SKIP/) skipped++; else passed++ }
        /^not ok / { if (toupper($0) ~ /# TODO/) skipped++; else failed++ }
        /^1\.\.[0-9]+/ { plan += substr($1, 4) }
        /^Bail out!/ { broken = 1 }
        { status = $3 }
        END {
            if (passed + failed + skipped != plan) broken = 1
            print (broken && status == 0) ? 1 : status, passed + 0, failed + 0, skipped + 0
        }' "$logs/$name.log")
    count_points "$name" "$@"
}

# count_points NAME STATUS PASSED FAILED SKIPPED: adds to the count. A run that ends in
# failure without a failed point, or without any point, is a failure all the same.
count_points() {
    passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
    say "$1: $3 passed, $4 failed, $5 skipped ($(($(date +%s) - since)) s)"
    grep -E '^SKIP: |^ok .*# [Ss][Kk][Ii][Pp]' "$logs/$1.log" | sort -u | sed 's/^/  | /'
    [ "$2" = 0 ] && [ "$3" != 0 ] && return
    if [ "$4" = 0 ]; then
        of_interest <"$logs/$1.log"
        step_failed "$1" "ended with status $2 before its tests did; all of it: $logs/$1.log"
    else
        failures="$failures
  $1: $4 failed; all of it: $logs/$1.log"
        return 1
    fi
}

# steps_end: what failed, where the logs are, and the one line that says it all. Exits.
steps_end() {
    heading "The end"
    [ -z "$failures" ] || say "Failed:$failures"
    say "It took $(($(date +%s) - begun)) s. Logs: $logs"
    say "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
    exit
}
