# SPDX-License-Identifier: Apache-2.0
"""Containers over time: exec, stop and kill, logs, pause, restart, health, events, top and stats."""
import json
import os
import signal
import time

from harness import check, contains, equal, wait_for


def test_exec(t):
    name = t.start("sleep", "1000")
    equal(t.out("exec", name, "echo", "hi"), "hi", "output")
    r = t.client("exec", name, "sh", "-c", "echo out; echo err >&2; exit 5")
    equal((r.status, r.out, r.err), (5, "out\n", "err\n"), "status and streams")
    equal(t.out("exec", "-e", "A=b", "-w", "/tmp", "-u", "1000:2000", name, "sh", "-c", "echo $A $PWD $(id -u) $(id -g)"),
          "b /tmp 1000 2000", "env, cwd, user")
    equal(t.out("exec", "-i", name, "cat", stdin=b"through\n"), "through", "standard input")
    contains(t.out("exec", name, "ps"), "sleep 1000", "what exec sees of the container")
    equal(t.client("exec", name, "sh", "-c", "kill -TERM $$").status, 143, "status of a killed exec")
    r = t.client("exec", name, "/no/such/program")
    check(r.status in (126, 127), f"status for a missing program: {r}")
    contains(r.out + r.err, "no such file or directory", "message for a missing program")
    t.ok("exec", "-d", name, "sh", "-c", "echo detached > /tmp/f")
    wait_for(lambda: t.client("exec", name, "cat", "/tmp/f").out == "detached\n", "the detached exec done")
    t.ok("kill", name)
    t.wait_field(name, "State.Status", "exited")
    r = t.client("exec", name, "true")
    check(r.status != 0 and "is not running" in r.err, f"exec in a stopped container: {r}")


def test_exec_privileges(t):
    name = t.start("sleep", "1000", opts=["--cap-drop", "ALL", "--user", "1000"])
    status = t.out("exec", name, "cat", "/proc/self/status")
    contains(status, "CapEff:\t0000000000000000", "exec of an unprivileged container")
    contains(status, "CapBnd:\t0000000000000000", "exec of an unprivileged container")
    equal(t.out("exec", "-u", "0", name, "id", "-u"), "0", "exec as root")


def test_exec_with_init_gone(t):
    name = t.start("sleep", "1000")
    p = t.client("exec", "-d", name, "sleep", "1000")
    equal(p.status, 0, "detached exec")
    t.ok("kill", name)
    t.wait_field(name, "State.Status", "exited")
    t.ok("rm", name)


def test_stop(t):
    name = t.start("sh", "-c", "trap 'echo got TERM; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    t.wait_log(name, "ready")
    t.ok("stop", "-t", "30", name)
    equal(t.inspect(name, "State.ExitCode"), "9", "status of a trapped SIGTERM")
    contains(t.out("logs", name), "got TERM", "log")
    name = t.start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    t.wait_log(name, "ready")
    t.ok("stop", "-t", "1", name)
    equal(t.inspect(name, "State.ExitCode"), "137", "status when SIGTERM is ignored")


def test_kill(t):
    name = t.start("sh", "-c", "trap 'echo got USR1' USR1; trap 'exit 4' INT; echo ready; while :; do sleep 0.1; done")
    t.wait_log(name, "ready")
    t.ok("kill", "-s", "USR1", name)
    t.wait_log(name, "got USR1")
    t.ok("kill", "-s", "INT", name)
    equal(t.out("wait", name), "4", "status after SIGINT")
    r = t.client("kill", name)
    check(r.status != 0 and "is not running" in r.err, f"kill of a stopped container: {r}")
    name = t.start("sleep", "1000")
    t.ok("kill", name)
    equal(t.out("wait", name), "137", "status after SIGKILL")
    t.ok("rm", name)


def test_rm_force(t):
    name = t.start("sh", "-c", "sleep 1000 & sleep 1000")
    t.ok("rm", "-f", name)
    check(name not in t.out("ps", "-a", "--format", "{{.Names}}").split(), "the container is gone")


def test_start_again(t):
    name = t.start("sh", "-c", "echo x >> /kept; cat /kept | wc -l")
    equal(t.out("wait", name), "0", "status")
    equal(t.ok("start", "-a", name).out.strip(), "2", "files of a container that is started again")
    name = t.create("echo", "once")
    equal(t.inspect(name, "State.Status"), "created", "state")
    equal(t.ok("start", "-a", name).out, "once\n", "output of a created container")


def test_logs(t):
    name = t.start("sh", "-c", "echo one; echo two >&2; while [ ! -e /go ]; do sleep 0.1; done; echo three")
    t.wait_log(name, "one")  # the streams come each in its own time
    t.wait_log(name, "two")
    r = t.ok("logs", name)
    equal((r.out, r.err), ("one\n", "two\n"), "logs")
    t.ok("exec", name, "touch", "/go")
    equal(t.ok("logs", "-f", name).out, "one\nthree\n", "logs -f")
    equal(t.ok("logs", "--tail", "1", name).out, "three\n", "logs --tail")


def test_pause(t):
    name = t.start("sh", "-c", "n=0; while :; do n=$((n + 1)); echo $n; echo $n >> /m/log; sleep 0.05; done",
                   opts=["-v", f"{t.tmp}:/m"])
    t.wait_log(name, "3")
    t.pause("pause", name)
    equal(t.inspect(name, "State.Status"), "paused", "state")
    r = t.client("exec", name, "true")
    check(r.status != 0 and "is paused" in r.err, f"exec in a paused container: {r}")
    before = len((t.tmp / "log").read_text().splitlines())
    time.sleep(1)
    after = len((t.tmp / "log").read_text().splitlines())
    check(after <= before + 1, f"a paused container ends its system call and does nothing more ({before}, then {after} lines)")
    t.ok("unpause", name)
    wait_for(lambda: int(t.out("logs", "--tail", "1", name)) > after + 2, "it goes on")
    equal(t.inspect(name, "State.Status"), "running", "state")
    t.pause("pause", name)
    t.ok("unpause", name)
    t.ok("kill", name)


def test_stats(t):
    name = t.start("sh", "-c", "while :; do sleep 0.01; done", opts=["--memory", "256m"])

    def sane():
        s = json.loads(t.out("stats", "--no-stream", "--format", "{{json .}}", name))
        limit = s["MemUsage"].split(" / ")[1]  # a runtime may add what it needs itself
        return s if limit.endswith("MiB") and 256 <= float(limit.removesuffix("MiB")) < 384 and int(s["PIDs"]) >= 1 and not s["MemUsage"].startswith("0B") else None
    wait_for(sane, f"sane stats ({t.out('stats', '--no-stream', '--format', '{{json .}}', name)})")


def test_top(t):
    name = t.start("sleep", "1000")
    lines = t.out("top", name).splitlines()
    contains(lines[0], "PID", "header")
    pids = [line.split()[1] for line in lines[1:]]
    check(t.inspect(name, "State.Pid") in pids, f"the first process is in {lines}")


def test_restart_policy(t):
    name = t.start("sh", "-c", "echo run; exit 1", opts=["--restart", "on-failure:2"])
    t.wait_field(name, "RestartCount", "2")
    t.wait_field(name, "State.Status", "exited")
    equal(t.out("logs", name).splitlines(), ["run"] * 3, "runs")
    name = t.start("sh", "-c", "echo run; sleep 0.2; exit 0", opts=["--restart", "always"])
    wait_for(lambda: int(t.inspect(name, "RestartCount")) >= 2, "restarted twice")
    t.ok("rm", "-f", name)


def test_restart(t):
    name = t.start("sh", "-c", "echo up; exec sleep 1000")
    t.wait_log(name, "up")
    first = t.inspect(name, "State.Pid")
    t.ok("restart", "-t", "0", name)
    wait_for(lambda: t.out("logs", name).splitlines() == ["up", "up"], "the second start")
    check(t.inspect(name, "State.Pid") != first, "another process")


def test_health(t):
    name = t.start("sleep", "1000", opts=["--health-cmd", "test ! -e /tmp/bad", "--health-interval", "300ms", "--health-retries", "2"])
    t.wait_field(name, "State.Health.Status", "healthy")
    t.ok("exec", name, "touch", "/tmp/bad")
    t.wait_field(name, "State.Health.Status", "unhealthy")


def test_events(t):
    since = str(time.time())
    name = t.start("sh", "-c", "exit 6")
    t.ok("wait", name)
    other = t.start("sleep", "1000")
    t.ok("kill", other)
    t.ok("wait", other)

    def seen(container):
        lines = t.out("events", "--since", since, "--until", str(time.time()), "--filter", f"container={container}",
                      "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}").splitlines()
        return [s.replace(" <no value>", "") for s in lines]
    wait_for(lambda: "die 137" in seen(other), "the event of a killed one")  # told behind the end of `wait`
    wait_for(lambda: "die 6" in seen(name), "the event of the end")
    equal(seen(name), ["create", "start", "die 6"], "events")


def test_host_sees_init(t):
    """The pid that the engine knows is a live process; killing it from the host ends the container."""
    name = t.start("sleep", "1000")
    pid = int(t.inspect(name, "State.Pid"))
    os.kill(pid, signal.SIGKILL)
    equal(t.out("wait", name), "137", "status")
    t.ok("rm", name)
