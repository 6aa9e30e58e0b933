#!/bin/sh
# Runs the planner's benchmark on the first version (commit f92195a) and on the
# working tree, one after the other on the same machine, and prints both.
#
#	docs/bench-before.sh [people] [benchtime] [benchmarks]
#
# "cpu-ms" is processor time for one plan; "yardsticks" is the same in units of a
# map of all record keys plus a sorted copy of them, measured in the same process.
set -eu
people=${1:-32000}
times=${2:-5x}
which=${3:-NewPlan|Encode}
top=$(git rev-parse --show-toplevel)
before=$(mktemp -d)
trap 'git -C "$top" worktree remove --force "$before/tree" 2>/dev/null; rm -rf "$before"' EXIT
git -C "$top" worktree add --quiet --detach "$before/tree" f92195a
cp "$top/bench_plan_test.go" "$before/tree/"
for tree in "$before/tree" "$top"; do
	if [ "$tree" = "$top" ]; then echo "now:"; else echo "before (f92195a):"; fi
	(cd "$tree" && SCHOOLMAIL_PEOPLE=$people go test -run xxx -bench "$which" -benchmem -benchtime "$times" . | grep '^Benchmark')
done
