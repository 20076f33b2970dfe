# bash completion of pollflow: its options, and the values of those that take a word or a file.
# Needs bash alone. tests/scripts/test_documents.py compares it with --help.

_pollflow_options="--read --collector --flows-out --inactive-timeout --active-timeout --hold-idle --max-flows
  --engine-type --engine-id --ifindex --routes --pair --export-lcore --rss-key --driver-config --export-delay
  --export-rate --max-records --hash-seed --skip-own-export --user --seccomp --ledger --metrics --config --check-config
  --dry-run --help --version"

# True where EAL's arguments stand: a -- is still to come, or will be, as only EAL has short options.
_pollflow_before_separator() {
  local i short=
  for ((i = 1; i < ${#COMP_WORDS[@]}; i++)); do
    if [ "${COMP_WORDS[i]}" = -- ] && [ "$i" -ne "$COMP_CWORD" ]; then
      [ "$i" -gt "$COMP_CWORD" ]
      return
    fi
    [[ $i -ge $COMP_CWORD || ${COMP_WORDS[i]} != -[!-]* ]] || short=yes
  done
  [ -n "$short" ]
}

# Fills COMPREPLY with the words of $2 that begin with $1, and with such a "file" or "directory" when $3 says so.
_pollflow_offer() {
  mapfile -t COMPREPLY < <(compgen ${3:+-A "$3"} -W "$2" -- "$1")
  # Folders get a slash, blanks are quoted; outside of a completion, as in a test, bash refuses.
  [ -z "${3:-}" ] || compopt -o filenames 2>/dev/null || true
}

_pollflow() {
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
  local equals=
  # --option=value comes as three words.
  if [ "$word" = = ]; then
    word= equals=yes
  elif [ "$option" = = ]; then
    equals=yes
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi

  COMPREPLY=()
  if _pollflow_before_separator; then
    _pollflow_offer "$word" --
    return
  fi
  case $option in
    --read | --flows-out | --ledger | --config) _pollflow_offer "$word" '' file ;;
    --driver-config) _pollflow_offer "$word" '' directory ;;
    --routes) _pollflow_offer "$word" kernel file ;;
    --rss-key | --hash-seed) _pollflow_offer "$word" random ;;
    --skip-own-export | --seccomp) # false stands behind =, as a word of its own it would be another argument
      if [ -n "$equals" ]; then _pollflow_offer "$word" 'true false'; else _pollflow_offer "$word" "$_pollflow_options"; fi ;;
    --user | --collector | --inactive-timeout | --active-timeout | --max-flows | --engine-type | --engine-id | --ifindex | \
      --pair | --export-lcore | --export-delay | --export-rate | --max-records | --metrics) ;;
    *) _pollflow_offer "$word" "$_pollflow_options" ;;
  esac
}

complete -F _pollflow pollflow
