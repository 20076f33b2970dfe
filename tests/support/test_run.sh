# What scripts/test and scripts/gates share: build folders, their tests, single checks, and the sum of all. To be sourced
# in the checkout's root. Each leaves its results in a folder that tests/tally.py adds up.

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

say() { printf '\n== %s\n' "$*"; }

# build NAME MESON_OPTIONS...: a build folder of its own, so that runs do not undo each other's work
build() {
  local folder=build-$1
  shift
  [ -f "$folder/build.ninja" ] || meson setup "$folder" -Dtests=enabled "$@" >"$results/setup" || {
    cat "$results/setup"
    echo "meson could not set up $folder" >&2
    return 1
  }
  ninja --quiet -C "$folder" || { echo "$folder does not build" >&2; return 1; }
}

# run NAME [MESON_TEST_OPTIONS...]: its tests; what failed is shown. Twice as many at once as there are CPUs: those that run
# the whole program wait more than they work.
run() {
  local name=$1
  shift
  rm -f "build-$name/meson-logs/testlog.json"
  meson test -C "build-$name" --print-errorlogs --no-rebuild --num-processes $((2 * $(nproc))) "$@" || true
  mv "build-$name/meson-logs/testlog.json" "$(mktemp "$results/$name.XXXXXX.json")" || echo failed >"$results/$name.check"
}

# check NAME COMMAND...: one more test, passed or failed; skipped when the command ends with 77, as meson has it
check() {
  local name=$1 log="$results/$1.log"
  shift
  local outcome=passed
  "$@" >"$log" 2>&1 || case $? in 77) outcome=skipped ;; *) outcome=failed ;; esac
  cat "$log"
  echo "$name: $outcome"
  echo "$outcome" >"$results/$name.check"
}
