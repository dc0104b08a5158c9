# SPDX-License-Identifier: Apache-2.0
"""Limits by cgroups: of memory, CPU time and processes; changed while a container runs; what the engine hears of a kill."""
import time

from engine import cgroup_value
from harness import check, contains, equal, wait_for

MANY = "i=0; while [ $i -lt 30 ]; do sleep 1000 > /dev/null 2>&1 & i=$((i + 1)); done; wait"


def test_memory(t):
    equal(t.run("tail", "/dev/zero", opts=["--memory", "64m"]).status, 137, "status of a process over the limit")


def test_memory_of_a_child(t):
    """Engines listen for kills once a container is started, and as long as it lives: so it waits before and after."""
    since = str(time.time())
    script = "until [ -e /m/go ]; do sleep 0.1; done; tail /dev/zero; echo status $?; until [ -e /m/end ]; do sleep 0.1; done"
    name = t.start("sh", "-c", script, opts=["--memory", "64m", "-v", f"{t.tmp}:/m"])
    (t.tmp / "go").touch()
    t.wait_log(name, "status 137")  # a child is killed, its parent is not
    wait_for(lambda: "oom" in t.out("events", "--since", since, "--until", str(time.time()), "--filter", f"container={name}",
                                    "--format", "{{.Action}}").split(), "an oom event")
    (t.tmp / "end").touch()
    equal(t.out("wait", name), "0", "status of the parent")
    equal(t.inspect(name, "State.OOMKilled"), "true", "OOMKilled")


def test_memory_seen(t):
    """The limit is in force on the host, and found by the application in its own cgroup files."""
    name = t.start("sleep", "1000", opts=["--memory", "96m"])
    limit = cgroup_value(t.inspect(name, "State.Pid"), "memory", "memory.limit_in_bytes", "memory.max")
    check(96 << 20 <= int(limit) < 1 << 30, f"limit on the host: {limit}")
    equal(t.out("exec", name, "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"),
          str(96 << 20), "limit in the application's files")


def test_memory_enough(t):
    equal(t.sh_out("head -c 30000000 /dev/zero > /dev/shm/f; stat -c %s /dev/shm/f", opts=["--memory", "64m", "--shm-size", "40m"]),
          "30000000", "what is below the limit")


def test_cpus(t):
    name = t.start("sleep", "1000", opts=["--cpus", "0.5", "--cpuset-cpus", "0"])
    pid = t.inspect(name, "State.Pid")
    quota = cgroup_value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()
    equal(quota[0], "50000", "quota")
    equal(cgroup_value(pid, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0", "cpuset")
    equal(t.out("exec", name, "nproc"), "1", "CPUs seen")


def test_cpu_quota_holds(t):
    out = t.sh_out("i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done; echo done", opts=["--cpus", "0.25"])
    equal(out, "done", "a throttled loop ends")


def test_pids(t):
    r = t.sh(MANY, opts=["--pids-limit", "16"])
    contains(r.err, "can't fork", "the limit of processes")
    equal(t.sh_out("i=0; while [ $i -lt 10 ]; do sleep 0 & i=$((i + 1)); done; wait; echo all", opts=["--pids-limit", "16"]), "all",
          "what is below the limit")


def test_update(t):
    name = t.start("sleep", "1000", opts=["--memory", "128m", "--pids-limit", "50"])
    t.ok("update", "--memory", "64m", "--memory-swap", "-1", "--cpus", "0.3", "--pids-limit", "12", name)
    pid = t.inspect(name, "State.Pid")
    equal(cgroup_value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0], "30000", "the new quota")
    equal(t.out("exec", name, "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"),
          str(64 << 20), "the new limit in the application's files")
    equal(t.client("exec", name, "sh", "-c", "tail /dev/zero").status, 137, "a process over the new limit")
    contains(t.client("exec", name, "sh", "-c", MANY).err, "can't fork", "the new limit of processes")
    equal(t.inspect(name, "State.Status"), "running", "the container")
