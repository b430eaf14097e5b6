#!/usr/bin/env bash
# 11 probes from 3 pods, 2 lookups among them
# Run: bash probes.sh [results.yaml], with bash 4 or later. Each source is an ephemeral container in a pod that
# runs (kubectl debug), which stays listed in the pod; THROUGH=exec uses the pod's own nc and nslookup.
# Exit code: 0 as expected, 1 different, 2 some could not be tried.
set -u
: "${KUBECTL:=kubectl}" "${IMAGE:=nicolaka/netshoot}" "${THROUGH:=debug}" "${WAIT:=3}"
results=${1:-results.yaml}
different=0 unknown=0 same=0
declare -A expected=()
arguments=()
source_namespace='' source_pod=''

prober=$(cat <<'EOF'
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
      out=$(curl -sS -k -o /dev/null -w 'connected:%{time_connect}' --connect-timeout "$WAIT" \
        --max-time $((WAIT * 2)) "http://$host:$port/" 2>&1)
      case $?,$out in 126,*|127,*) ;; *[Rr]efused*) told=allow;; *connected:0.00000[0-9]) told=deny
        ;; *connected:[0-9]*) told=allow;; esac;;
  esac
  case $told in
    unknown) echo "  # $row: it could not be tried: $out" | head -n 1;;
    *) echo "  - {$row, expect: $told}";;
  esac
done
EOF
)

# pod_of NAMESPACE NAME LABELS: the pod of that name, or else a running one with these labels.
pod_of() {
  if "$KUBECTL" get pod -n "$1" "$2" -o name >/dev/null 2>&1; then
    echo "$2"
  elif [ -n "$3" ]; then
    "$KUBECTL" get pods -n "$1" -l "$3" --field-selector=status.phase=Running \
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
      debug) out=$("$KUBECTL" debug -n "$source_namespace" "$source_pod" --image="$IMAGE" -q -i -- \
        sh -c "WAIT=$WAIT; $prober" prober "${arguments[@]}" </dev/null);;
      exec) out=$("$KUBECTL" exec -n "$source_namespace" "$source_pod" -- \
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
    printf '%-9s expected %-5s %s\n' "$told" "${expected[$row]}" "$row"
  done
}

echo 'tests:' >"$results"

from kube-system dns k8s-app=kube-dns
to_pod 'from: kube-system/dns, to: shop/web, port: 8080, protocol: TCP' 8080 allow shop web app=web
to_pod 'from: kube-system/dns, to: shop/db, port: 5432, protocol: TCP' 5432 deny shop db app=db
to 'from: kube-system/dns, to: 203.0.113.7, port: 443, protocol: TCP' http 203.0.113.7 443 allow
run

from shop web app=web
to_pod 'from: shop/web, to: shop/db, port: 5432, protocol: TCP' 5432 allow shop db app=db
to_pod 'from: shop/web, to: kube-system/dns, port: 80, protocol: TCP' 80 allow kube-system dns k8s-app=kube-dns
to_pod 'from: shop/web, to: shop/db, port: 80, protocol: TCP' 80 deny shop db app=db
to 'from: shop/web, to: kube-system/dns, port: 53, protocol: UDP' dns kubernetes.default 53 allow
to 'from: shop/web, to: 203.0.113.7, port: 443, protocol: TCP' http 203.0.113.7 443 allow
run

from shop db app=db
to_pod 'from: shop/db, to: kube-system/dns, port: 80, protocol: TCP' 80 deny kube-system dns k8s-app=kube-dns
to 'from: shop/db, to: kube-system/dns, port: 53, protocol: UDP' dns kubernetes.default 53 deny
to 'from: shop/db, to: 203.0.113.7, port: 443, protocol: TCP' http 203.0.113.7 443 deny
run

[ $((same + different)) -gt 0 ] || echo 'tests: []' >"$results"
echo "$same as expected, $different different, $unknown could not be tried; what came out is in $results"
[ "$different" -eq 0 ] || exit 1
[ "$unknown" -eq 0 ] || exit 2
