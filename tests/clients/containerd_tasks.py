# SPDX-License-Identifier: Apache-2.0
"""containerd through ctr: run, exec, pause, kill, delete, metrics, terminals."""
import re

from engine import PROMPT
from harness import check, contains, equal, wait_for


def test_run(t):
    r = t.sh("echo out; echo err >&2; exit 3")
    equal((r.status, r.out, r.err), (3, "out\n", "err\n"), "status and streams")
    r = t.sh("echo $A $PWD", opts=["--env", "A=b", "--cwd", "/tmp"])
    equal((r.status, r.out), (0, "b /tmp\n"), f"env and cwd ({r.err})")
    r = t.run(image="hello", opts=["--log-uri", f"file://{t.tmp}/hello"])
    equal(r.status, 0, f"status of a static program alone ({r.err})")
    equal((t.tmp / "hello").read_text(), "Hello from a container\n", "its output")
    r = t.run("/no/such/program")
    check(r.status != 0 and "no such file or directory" in r.err, f"a missing program: {r}")


def test_exec(t):
    name = t.start("sleep", "1000")
    r = t.exec_sh(name, "echo out; echo err >&2; exit 5")
    equal((r.status, r.out, r.err), (5, "out\n", "err\n"), "status and streams")
    r = t.exec_sh(name, "echo $PWD $(id -u)", opts=["--cwd", "/tmp", "--user", "1000"])
    equal((r.status, r.out), (0, "/tmp 1000\n"), f"cwd and user ({r.err})")
    lines = t.ok("task", "ps", name).out.splitlines()
    check(len(lines) >= 2 and lines[0].split()[0] == "PID", f"task ps: {lines}")


def test_kill(t):
    name = t.start("sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.1; done")
    wait_for(lambda: t.state(name) == "RUNNING", "running")
    contains(t.task("rm", name).err, "must be stopped before deletion", "deleting a running task")
    wait_for(lambda: t.task("kill", "-s", "SIGTERM", name) and t.state(name) == "STOPPED", "stopped")
    contains(t.ok("task", "rm", name).err, "exit code 9", "status of the task")
    t.ok("container", "rm", name)


def test_kill_all(t):
    name = t.start("sh", "-c", "sleep 1000 & wait")
    t.ok("task", "kill", "-a", "-s", "SIGKILL", name)
    wait_for(lambda: t.state(name) == "STOPPED", "stopped")
    contains(t.ok("task", "rm", name).err, "exit code 137", "status of the task")


def test_pause(t):
    name = t.start("sleep", "1000")
    t.pause("task", "pause", name)
    wait_for(lambda: t.state(name) == "PAUSED", "paused")
    t.ok("task", "resume", name)
    wait_for(lambda: t.state(name) == "RUNNING", "running")
    r = t.exec_sh(name, "echo hi")
    equal((r.status, r.out), (0, "hi\n"), f"it goes on ({r.err})")


def test_metrics(t):
    name = t.start("sh", "-c", "while :; do :; done", opts=["--memory-limit", "100000000"])

    def metrics():
        return dict(re.findall(r"^(\S+) +(\S+) *$", t.ok("task", "metrics", name).out, re.M))
    wait_for(lambda: int(metrics().get("cpuacct.usage", metrics().get("cpu.usage_usec", 0))) > 1000, "CPU time")
    m = metrics()
    check(int(m.get("memory.usage_in_bytes", m.get("memory.usage", 0))) > 10000, f"memory: {m}")


def test_terminal(t):
    name = t.new_name()
    term = t.terminal("run", "--rm", "-t", *t.common(), "--env", "PS1=$> ", t.image("debian"), name, "bash", "--norc", "--noprofile")
    term.expect(PROMPT)
    term.send("test -t 0 && echo ter''minal\n")
    term.expect(r"terminal\r+\n")
    term.expect(PROMPT)
    term.wait_size(24, 80)
    term.move(30, 90)
    term.wait_size(30, 90)
    term.interrupt()
    term.send("exit 4\n")
    equal(term.wait(), 4, "status of the client")


def test_mounts(t):
    (t.tmp / "f").write_text("host\n")
    r = t.sh("cat /m/f; echo inside > /m/g; touch /x",
             opts=["--read-only", "--mount", f"type=bind,src={t.tmp},dst=/m,options=rbind:rw"])
    equal(r.out, "host\n", "a bind mount")
    contains(r.err, "Read-only file system", "a read-only root")
    equal((t.tmp / "g").read_text(), "inside\n", "what was written inside")
