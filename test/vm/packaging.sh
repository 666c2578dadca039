#!/bin/bash
# Proves packaging/*.service on a systemd host: in a guest, with the units as they are. Usage: packaging.sh [v2|hybrid]...
# (default: v2). "packaging.sh --inside" is the part that runs in the guest.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" != --inside ]; then
  node scripts/setup.js
  for mode in "${@:-v2}"; do
    echo "== systemd units on cgroup $mode"
    bash test/vm/vm.sh run -m "$mode" -t 400 -- 'bash test/vm/packaging.sh --inside'
  done
  exit 0
fi

root=system.slice/holdfast-tree.service
checks=0

# Waits until a command succeeds. An emulated machine is slow: 60 seconds.
until_true() {
  local what=$1 tries
  shift
  for ((tries = 0; tries < 240; tries++)); do
    if "$@" >/dev/null 2>&1; then
      checks=$((checks + 1))
      echo "ok   $what"
      return 0
    fi
    sleep 0.25
  done
  fail "$what"
}
fail() {
  echo "FAIL $1"
  systemctl status --no-pager -l holdfast holdfast-tree || true
  journalctl --no-pager -u holdfast -u holdfast-tree -n 60 || true
  find /sys/fs/cgroup -path "*$root*" -type d || true
  exit 1
}
# One look.
check() {
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then
    checks=$((checks + 1))
    echo "ok   $what"
  else
    fail "$what"
  fi
}

# The file of a group's CPU limit, and what it says at 20 %.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  unified=/sys/fs/cgroup
  limit_file=/sys/fs/cgroup/$root/batch/cpu.max limit='20000 100000' other='50000 100000'
else
  unified=/sys/fs/cgroup/unified
  limit_file=/sys/fs/cgroup/cpu/$root/batch/cpu.cfs_quota_us limit=20000 other=50000
fi
has_limit() { [ "$(cat "$limit_file")" = "$limit" ]; }
members() { grep -c . "$unified/$root/batch/steady@0/cgroup.procs"; }
main_pid() { cat "$unified/$root/batch/steady@0/cgroup.procs"; }
is_running() { [ "$(members)" = 1 ] && [ -d "/proc/$(main_pid)" ]; }
same_pid() { [ "$(main_pid)" = "$pid" ] && kill -0 "$pid"; }
one_instance() { [ "$(pgrep -fc '^sleep 98765$')" = 1 ]; }
controller_is() { [ "$(systemctl is-active holdfast)" = "$1" ]; }
adopted() { holdfast get wl steady -o json --root $root -f /etc/holdfast/manifests | grep -q "\"pid\": $pid,"; }
repaired() { echo "$other" >"$limit_file" && sleep 1 && has_limit; }
controllers() { cat "$unified/$root/cgroup.subtree_control"; }

echo "$(systemctl --version | head -n 1), kernel $(uname -r), node $(node --version)"

# As a person installs it: the program in the path, the units, the manifests.
ln -s /work/bin/holdfast.js /usr/local/bin/holdfast
install -D -m 644 -t /etc/systemd/system packaging/holdfast.service packaging/holdfast-tree.service
mkdir -p /etc/holdfast/manifests
cat >/etc/holdfast/manifests/steady.yaml <<'YAML'
apiVersion: holdfast.dev/v1alpha1
kind: LimitGroup
metadata: { name: batch }
spec:
  limits: { cpu.max: 20%, memory.max: 200Mi, pids.max: 64 }
---
apiVersion: holdfast.dev/v1alpha1
kind: Workload
metadata: { name: steady }
spec:
  limitGroupRef: { name: batch }
  command: [sleep, "98765"]
  terminationGracePeriodSeconds: 5
YAML
systemctl daemon-reload
check 'systemd finds nothing wrong with the units' systemd-analyze verify /etc/systemd/system/holdfast.service /etc/systemd/system/holdfast-tree.service

systemctl start holdfast
until_true 'systemctl start: the controller runs' controller_is active
until_true "the LimitGroup's cpu.max stands below the unit's cgroup" has_limit
until_true "the Workload runs below the unit's cgroup" is_running
pid=$(main_pid)
controller=$(systemctl show -p MainPID --value holdfast)
check 'the controller is not inside the tree' bash -c "! grep -q holdfast-tree /proc/$controller/cgroup"
check "systemd knows whose the processes are" bash -c "systemctl status --no-pager holdfast-tree | grep -q \"sleep 98765\""
before=$(controllers)
until_true 'an echo into the limit is repaired' repaired

systemctl daemon-reload
sleep 3
check 'daemon-reload leaves the limit' has_limit
check 'daemon-reload leaves the controllers handed down' [ "$(controllers)" = "$before" ]
check 'daemon-reload leaves the workload' same_pid

# A unit of somebody else's is governed through systemd, and what systemd makes of it behind our back is noticed.
if [ "$unified" = /sys/fs/cgroup ]; then
  systemd-run --quiet --unit=victim --property=MemoryMax=96M --property=Restart=always sleep 54321
  victim=/sys/fs/cgroup/system.slice/victim.service
  reads() { [ "$(cat "$victim/$1")" = "$2" ]; }
  shows() { [ "$(systemctl show victim -p "$1" --value)" = "$2" ]; }
  told() { journalctl --no-pager -u holdfast -o cat | grep -q "$1"; }
  tasks=$(cat $victim/pids.max)
  cat >/etc/holdfast/manifests/victim.yaml <<'YAML'
apiVersion: holdfast.dev/v1alpha1
kind: LimitGroup
metadata: { name: victim }
spec:
  cgroupPath: system.slice/victim.service
  limits: { memory.max: 64Mi, pids.max: 40, cpu.max.burst: 0, cpu.max: 25% }
YAML
  until_true 'a governed unit has its limit in the kernel' reads memory.max 67108864
  until_true 'and systemd knows it as its own' shows MemoryMax 67108864
  until_true 'the CPU quota as well' reads cpu.max '25000 100000'
  until_true 'the plan tells the way' told 'through systemd (MemoryMax=67108864)'
  systemctl set-property --runtime victim MemoryMax=32M
  until_true 'what somebody sets through systemd is drift, and repaired' shows MemoryMax 67108864
  mkdir -p /run/systemd/system.control/victim.service.d
  printf '[Service]\nTasksMax=7\n' >/run/systemd/system.control/victim.service.d/99-tasks.conf
  systemctl daemon-reload
  until_true 'a daemon-reload that resets a value is noticed' told 'pids.max was 7, is 40 again'
  until_true 'and repaired' reads pids.max 40
  rm /run/systemd/system.control/victim.service.d/99-tasks.conf
  systemctl daemon-reload
  systemctl restart victim
  until_true 'a unit that is started again has its limits' reads memory.max 67108864
  rm /etc/holdfast/manifests/victim.yaml
  until_true 'when the manifest goes, what was found comes back' shows MemoryMax 100663296
  until_true 'in the kernel too' reads memory.max 100663296
  until_true 'and for tasks' reads pids.max "$tasks"
  check 'nobody has ended it' systemctl is-active victim
  systemctl stop victim
fi

systemctl stop holdfast
check 'systemctl stop: the controller is gone' controller_is inactive
check 'systemctl stop: the workload runs on' same_pid
check 'systemctl stop: the limit stands' has_limit
systemctl daemon-reload
sleep 3
check 'daemon-reload without the controller leaves the limit' has_limit
check 'daemon-reload without the controller leaves the workload' same_pid
check 'the run directory is kept' test -s /run/holdfast/$root/status.json

systemctl start holdfast
until_true 'systemctl start: the controller runs again' controller_is active
until_true 'the workload is adopted, pid and all' adopted
sleep 3
check 'no second instance' one_instance
check 'the same process' same_pid

systemctl restart holdfast
until_true 'systemctl restart: the controller runs' controller_is active
until_true 'the workload is adopted again' adopted
sleep 3
check 'no second instance' one_instance
check 'the same process' same_pid

kill -KILL "$(systemctl show -p MainPID --value holdfast)"
sleep 1
until_true 'kill -9 of the controller: systemd starts it again' controller_is active
until_true 'the workload is adopted after the kill' adopted
check 'the same process' same_pid
until_true 'an echo into the limit is repaired' repaired

systemctl stop holdfast-tree
check 'systemctl stop holdfast-tree ends the controller' controller_is inactive
until_true "and the workload" bash -c '! pgrep -f "^sleep 98765$"'
check "and leaves nothing below the unit" bash -c "! ls -d $unified/$root 2>/dev/null"
systemctl start holdfast
until_true 'and both can be started again' is_running
until_true 'with the limit' has_limit
echo "$checks checks passed"
