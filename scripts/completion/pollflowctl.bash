# bash completion of pollflowctl: commands, their options and words, and prefixes that have a telemetry socket.
# Needs bash alone. tests/scripts/test_documents.py compares it with --help.

_pollflowctl_commands="show top info ledger timeouts expire log-level routes"
_pollflowctl_levels="emergency alert critical error warning notice info debug"

# The options of a command, or without one those of all commands.
_pollflowctl_options() {
  echo "--file-prefix --socket --help --version"
  case $1 in
    show) echo "--top --by --filter --json --csv" ;;
    top) echo "--interval --once" ;;
    expire) echo "--filter --all --json" ;;
    info | ledger | timeouts | log-level | routes) echo "--json" ;;
  esac
}

# The prefixes in the runtime folder that EAL takes.
_pollflowctl_prefixes() {
  local folder=/var/run socket
  [ "$UID" -eq 0 ] || folder=${XDG_RUNTIME_DIR-/tmp}
  folder=${RUNTIME_DIRECTORY-$folder}/dpdk
  for socket in "$folder"/*/dpdk_telemetry.v2; do
    [ -S "$socket" ] || continue
    socket=${socket%/*}
    echo "${socket##*/}"
  done
}

# Fills COMPREPLY with the words of $2 that begin with $1.
_pollflowctl_offer() {
  mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

# What may stand behind a command ("": none yet) that has $2 words already.
_pollflowctl_words() {
  case $1:$2 in
    :0) echo "$_pollflowctl_commands" ;;
    log-level:[01]) echo "$_pollflowctl_levels" ;;
    routes:0) echo reload ;;
    *) _pollflowctl_options "$1" ;;
  esac
}

_pollflowctl() {
  local word=${COMP_WORDS[COMP_CWORD]} option='' command='' words=0 i
  # The value of an option is neither command nor word; --option=value comes as three words.
  for ((i = 1; i < COMP_CWORD; i++)); do
    case $option:${COMP_WORDS[i]} in
      ?*:=) continue ;;
      ?*:*) option= ;;
      :--file-prefix | :--socket | :--top | :--by | :--filter | :--interval) option=${COMP_WORDS[i]} ;;
      :-*) ;;
      *) if [ -z "$command" ]; then command=${COMP_WORDS[i]}; else words=$((words + 1)); fi ;;
    esac
  done
  [ "$word" != = ] || word=

  COMPREPLY=()
  case $option:$word in
    --file-prefix:*) _pollflowctl_offer "$word" "$(_pollflowctl_prefixes)" ;;
    --by:*) _pollflowctl_offer "$word" "octets packets age" ;;
    --socket:*)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      # Folders get a slash, blanks are quoted; outside of a completion, as in a test, bash refuses.
      compopt -o filenames 2>/dev/null || true
      ;;
    --*) ;;
    :-*) _pollflowctl_offer "$word" "$(_pollflowctl_options "$command")" ;;
    *) _pollflowctl_offer "$word" "$(_pollflowctl_words "$command" "$words")" ;;
  esac
}

complete -F _pollflowctl pollflowctl
