#!/bin/sh
# Every verb of etcdctl, one after another, with what it says: `etcdctl_verbs.sh ETCDCTL HOST:PORT FOLDER`, on an
# empty etcd. The caller compares what two servers make of it.
CTL=$1
FOLDER=$3
export ETCDCTL_API=3 ETCDCTL_ENDPOINTS="$2" ETCDCTL_DIAL_TIMEOUT=10s ETCDCTL_COMMAND_TIMEOUT=20s

c() {
    echo "\$ $*"
    "$CTL" "$@" >"$FOLDER/said" 2>&1
    code=$?
    grep -v '^{"level"' "$FOLDER/said" # its log
    echo "-> $code"
}
quietly() { "$CTL" "$@" >/dev/null 2>&1; }
until_said() { # PATTERN FILE: wait, at most 10 s, until a verb in the background has said it
    for _ in $(seq 200); do grep -q "$1" "$2" && return; sleep 0.05; done
}

# KV
c put foo bar; c put foo baz --prev-kv; c get foo; c get foo -w json; c get foo --hex; c get foo --rev=2
c get "" --prefix --keys-only; c get foo --print-value-only; c get fo --prefix --count-only
c get fo --prefix --count-only -w fields; c put foo --ignore-value; c put nosuch --ignore-lease x
c del foo --prev-kv; c del foo; c put "" x; c get nosuch; c put k v --lease=77
c put a/1 1; c put a/2 2; c put a/3 3; c get a/ --prefix --limit 2; c get a/1 a/3; c get a/2 --from-key
c get a/ --prefix --order DESCEND --sort-by KEY; c get a/ --prefix --sort-by VERSION
printf 'mod("a/1") > "0"\n\nput a/1 x\nget a/1\n\ndel a/1\n\n' | c txn
printf 'value("a/1") = "y"\n\nput a/1 z\n\nget a/1\ndel a/3\n\n' | c txn -w json
c get foo --rev=100000

# Lease
L=$("$CTL" lease grant 500 | awk '{print $2}')
c put leased 1 "--lease=$L"; c lease timetolive "$L" --keys; c lease list; c lease keep-alive --once "$L"
c get leased -w json
c lease revoke "$L"; c lease timetolive "$L"; c lease revoke 1234; c lease keep-alive --once 1234; c get leased
c lease grant 0; c lease grant 9000000001

# Watch
"$CTL" watch a/ --prefix --rev=1 >"$FOLDER/w1" 2>&1 & W1=$!
"$CTL" watch a/1 --prev-kv >"$FOLDER/w2" 2>&1 & W2=$!
for _ in $(seq 200); do # until the second one is there
    quietly put a/1 again; grep -q again "$FOLDER/w2" && break; sleep 0.05
done
until_said again "$FOLDER/w1"
kill $W1 $W2; wait $W1 $W2
echo "\$ watch --rev=1"; grep -v again "$FOLDER/w1" | head -12
echo "\$ watch --prev-kv"; tail -5 "$FOLDER/w2" | grep -v x | sort -u

# Compaction
c compaction 5; c get a/1 --rev=2; c compaction 3; c compaction 100000; c compaction 6 --physical
c watch a/1 --rev=2

# Cluster, Maintenance
c member list | cut -d, -f2,4-; c endpoint health; c endpoint status -w json | tr ',{' '\n\n' | sed 's/:.*//' | sort
c endpoint hashkv | sed 's/, .*//'; c alarm list; c alarm disarm; c defrag; c move-leader 1234
c member add x --peer-urls=bad; c member remove 1234; c member update 1234 --peer-urls=http://127.0.0.1:9
c member promote 1234; c snapshot save "$FOLDER/snapshot"; ls "$FOLDER/snapshot"

# Lock, elect
c lock L1 echo locked
"$CTL" elect E1 v1 >"$FOLDER/e1" 2>&1 & E1=$!
until_said v1 "$FOLDER/e1"
"$CTL" elect -l E1 >"$FOLDER/e2" 2>&1 & E2=$!
until_said v1 "$FOLDER/e2"
kill $E1 $E2; wait $E1 $E2
echo "\$ elect"; cat "$FOLDER/e1" "$FOLDER/e2" | grep -v '^{"level"'

# Auth
c role add r1; c role add r1; c role list; c role grant-permission r1 readwrite a/ --prefix
c role grant-permission r1 read b; c role grant-permission r1 write c d; c role get r1
c role revoke-permission r1 b; c role revoke-permission r1 zz; c role get r1; c role get nope
c auth enable; c user add root:rp; c user add u1:p1; c user add u1:p1; c user list
c auth enable; c user grant-role root root; c user grant-role u1 r1; c user grant-role u1 nope
c user get u1; c user get u1 --detail; c user get nope; c user revoke-role u1 nope; c user add u3 --no-password
c auth enable; c auth status; c get a/1; c --user u1:p1 get a/1; c --user u1:bad get a/1
c --user u1:p1 get z; c --user u1:p1 put a/9 9; c --user u1:p1 put c 1; c --user u1:p1 put d 1
c --user u1:p1 put c 1 --prev-kv; c --user u1:p1 del a/9; c --user u1:p1 del a/ --from-key
c --user u1:p1 get a/ --prefix --count-only; printf 'mod("z") > "0"\n\nput a/1 x\n\n\n' | c --user u1:p1 txn
c --user u1:p1 watch z; c --user u1:p1 role list; c --user u1:p1 role get r1; c --user u1:p1 role get root
c --user u1:p1 user get u1; c --user u1:p1 user get root; c --user root:rp user list
c --user root:rp user delete root; c --user root:rp role delete root; c --user root:rp user revoke-role root root
c --user u1:p1 member list | cut -d, -f2,4-; c --user u1:p1 compaction 7; c --user u1:p1 alarm list
c --user u3:x get a; c --user root:rp auth status
c --user u1:p1 lease grant 100 | cut -d' ' -f1,3-; c --user root:rp endpoint health
echo np | c --user root:rp user passwd u1 --interactive=false; c --user u1:np get a/1; c --user u1:p1 get a/1
c --user root:rp role delete r1; c --user root:rp user get u1; c --user u1:np get a/1
c --user root:rp user delete u1; c --user u1:np get a/1; c --user root:rp auth disable
c user list; c role list; c user delete root; c user delete u3; c role delete root; c role list
c get "" --from-key --keys-only; c del "" --from-key; c get "" --from-key
