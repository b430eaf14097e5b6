"""What runs on the cluster: shell that tries connections from within a pod, and the script that sends it there."""

PROBER = """\
sleep 1
while [ $# -ge 4 ]; do
  row=$1; kind=$2; host=$3; port=$4; shift 4
  told=unknown
  case $kind in
    tcp)
      out=$(nc -z -v -w "$WAIT" "$host" "$port" 2>&1)
      case $?,$out in 0,*|*,*[Rr]efused*) told=allow;; 126,*|127,*) ;; *) told=deny;; esac;;
    dns)
      out=$(nslookup -timeout="$WAIT" -retry=1 "$host" 2>&1)
      case $?,$out in 0,*|*NXDOMAIN*|*SERVFAIL*) told=allow;; 126,*|127,*) ;; *) told=deny;; esac;;
    http)
      out=$(curl -sS -k -o /dev/null -w 'connected:%{time_connect}' --connect-timeout "$WAIT" \\
        --max-time $((WAIT * 2)) "http://$host:$port/" 2>&1)
      case $?,$out in 126,*|127,*) ;; *[Rr]efused*) told=allow;; *connected:0.00000[0-9]) told=deny
        ;; *connected:[0-9]*) told=allow;; esac;;
  esac
  case $told in
    unknown) echo "  # $row: it could not be tried: $out" | head -n 1;;
    *) echo "  - {$row, expect: $told}";;
  esac
done
"""
"""Tries connections, each given by a row of a test file, a kind, a host and a port; prints rows as they came out."""

RUNNER = """\
set -u
: "${KUBECTL:=kubectl}" "${IMAGE:=@IMAGE@}" "${THROUGH:=debug}" "${WAIT:=3}"
results=${1:-results.yaml}
different=0 unknown=0 same=0
declare -A expected=()
arguments=()
source_namespace='' source_pod=''

prober=$(cat <<'EOF'
@PROBER@
EOF
)

# pod_of NAMESPACE NAME LABELS: the pod of that name, or else a running one with these labels.
pod_of() {
  if "$KUBECTL" get pod -n "$1" "$2" -o name >/dev/null 2>&1; then
    echo "$2"
  elif [ -n "$3" ]; then
    "$KUBECTL" get pods -n "$1" -l "$3" --field-selector=status.phase=Running \\
      -o 'jsonpath={.items[0].metadata.name}' 2>/dev/null
  fi
}

from() {
  source_namespace=$1 source_pod=$(pod_of "$1" "$2" "$3")
  expected=() arguments=()
}

# to ROW KIND HOST PORT EXPECT; to_pod ROW PORT EXPECT NAMESPACE NAME LABELS
to() {
  expected[$1]=$5
  arguments+=("$1" "$2" "$3" "$4")
}

to_pod() {
  local pod address=''
  pod=$(pod_of "$4" "$5" "$6")
  [ -n "$pod" ] && address=$("$KUBECTL" get pod -n "$4" "$pod" -o 'jsonpath={.status.podIP}' 2>/dev/null)
  expected[$1]=$3
  [ -n "$address" ] && arguments+=("$1" tcp "$address" "$2")
}

run() {
  local out='' row told
  if [ -n "$source_pod" ] && [ "${#arguments[@]}" -gt 0 ]; then
    case $THROUGH in
      debug) out=$("$KUBECTL" debug -n "$source_namespace" "$source_pod" --image="$IMAGE" -q -i -- \\
        sh -c "WAIT=$WAIT; $prober" prober "${arguments[@]}" </dev/null);;
      exec) out=$("$KUBECTL" exec -n "$source_namespace" "$source_pod" -- \\
        sh -c "WAIT=$WAIT; $prober" prober "${arguments[@]}" </dev/null);;
      *) echo "THROUGH is debug or exec, not $THROUGH" >&2; exit 2;;
    esac
  fi
  for row in "${!expected[@]}"; do
    told=''
    case $out in *"{$row, expect: allow}"*) told=allow;; *"{$row, expect: deny}"*) told=deny;; esac
    if [ -z "$told" ]; then
      unknown=$((unknown + 1)); told=unknown
      echo "  # $row: it could not be tried" >>"$results"
    else
      echo "  - {$row, expect: $told}" >>"$results"
      if [ "$told" = "${expected[$row]}" ]; then same=$((same + 1)); continue; fi
      different=$((different + 1))
    fi
    printf '%-9s expected %-5s %s\\n' "$told" "${expected[$row]}" "$row"
  done
}

echo 'tests:' >"$results"
"""
"""The head of the script; what is to be tried follows, then `SUMMARY`."""

SUMMARY = """\

[ $((same + different)) -gt 0 ] || echo 'tests: []' >"$results"
echo "$same as expected, $different different, $unknown could not be tried; what came out is in $results"
[ "$different" -eq 0 ] || exit 1
[ "$unknown" -eq 0 ] || exit 2
"""
