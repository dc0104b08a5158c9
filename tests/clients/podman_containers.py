# SPDX-License-Identifier: Apache-2.0
"""Podman with conmon: run, exec, pods, play kube, health checks, cp and commit."""
import re

from engine import PROMPT, remove_cgroups
from harness import Skip, check, contains, equal, wait_for


def test_run(t):
    r = t.run("sh", "-c", "echo out; echo err >&2; exit 3")
    equal((r.status, r.out, r.err), (3, "out\n", "err\n"), "status and streams")
    equal(t.run(image="hello").out, "Hello from a container\n", "a static program alone")
    equal(t.sh_out("echo $A $PWD $(id -u) $(hostname)", opts=["-e", "A=b", "-w", "/tmp", "-u", "1000", "--hostname", "there"]),
          "b /tmp 1000 there", "env, cwd, user, hostname")
    r = t.run("/no/such/program")
    equal(r.status, 127, f"status for a missing program ({r.err})")
    equal(t.run("/etc/passwd").status, 126, "status for a file without x")
    equal(t.run("cat", opts=["-i"], stdin=b"through\n").out, "through\n", "standard input")


def test_exec(t):
    name = t.start("sleep", "1000")
    r = t.client("exec", name, "sh", "-c", "echo out; echo err >&2; exit 5")
    equal((r.status, r.out, r.err), (5, "out\n", "err\n"), "status and streams")
    equal(t.out("exec", "-e", "A=b", "-w", "/tmp", "-u", "1000", name, "sh", "-c", "echo $A $PWD $(id -u)"), "b /tmp 1000", "env, cwd, user")
    equal(t.out("exec", "-i", name, "cat", stdin=b"through\n"), "through", "standard input")
    t.ok("exec", "-d", name, "sh", "-c", "echo detached > /tmp/f")
    wait_for(lambda: t.client("exec", name, "cat", "/tmp/f").out == "detached\n", "the detached exec done")
    equal(t.client("exec", name, "/no/such/program").status, 127, "status for a missing program")


def test_stop(t):
    name = t.start("sh", "-c", "trap 'echo got TERM; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    wait_for(lambda: "ready" in t.out("logs", name), "ready")
    t.ok("stop", "-t", "30", name)
    equal(t.inspect(name, "State.ExitCode"), "9", "status of a trapped SIGTERM")
    contains(t.out("logs", name), "got TERM", "log")
    name = t.start("sleep", "1000")
    t.ok("kill", name)
    equal(t.out("wait", name), "137", "status after SIGKILL")
    t.ok("start", name)
    equal(t.inspect(name, "State.Status"), "running", "started again")
    t.ok("rm", "-f", "-t", "0", name)


def test_pause(t):
    name = t.start("sleep", "1000")
    t.pause("pause", name)
    equal(t.inspect(name, "State.Status"), "paused", "state")
    t.ok("unpause", name)
    equal(t.out("exec", name, "echo", "hi"), "hi", "it goes on")


def test_limits(t):
    equal(t.run("tail", "/dev/zero", opts=["--memory", "64m", "--memory-swap", "64m"]).status, 137, "a process over the limit")
    contains(t.run("sh", "-c", "i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i + 1)); done; wait", opts=["--pids-limit", "16"]).err,
             "can't fork", "the limit of processes")


def test_files(t):
    """Podman copies to and from running containers in the mount namespace of their process, which shows nothing with runsc: so
    the container is stopped here."""
    name = t.new_name()
    t.ok("create", "--name", name, *t.common(), "-v", f"{t.tmp}:/m", "--tmpfs", "/scratch", "--tmpfs", "/var/kept:nosuid", "box", "sh", "-c",
         "cat /root/in /m/in; cat /var/kept/from-image; echo x > /scratch/x; echo inside > /root/out; rm -r /home")
    (t.tmp / "in").write_text("host\n")
    t.ok("cp", str(t.tmp / "in"), f"{name}:/root/in")
    equal(t.out("start", "-a", name), "host\nhost\nimage", "a file copied in, one of a bind mount, and one that a tmpfs covers")
    t.ok("cp", f"{name}:/root/out", str(t.tmp / "out"))
    equal((t.tmp / "out").read_text(), "inside\n", "a file copied out")
    contains(t.out("diff", name), "D /home", "diff")
    tag = f"localhost/{t.prefix}-commit"
    t.ok("commit", "-q", name, tag)
    try:
        equal(t.sh_out("cat /root/out; ls -d /home || true", image=tag), "inside", "the new image")
    finally:
        t.client("rmi", "-f", tag)


def test_health(t):
    name = t.start("sleep", "1000", opts=["--health-cmd", "test ! -e /tmp/bad", "--health-interval", "disable", "--health-retries", "1"])
    equal(t.client("healthcheck", "run", name).status, 0, "a healthy container")
    t.ok("exec", name, "touch", "/tmp/bad")
    equal(t.client("healthcheck", "run", name).status, 1, "an unhealthy one")


def need_pods(t):
    r = t.client("pod", "create", "--name", t.new_pod(), "--cgroup-parent", f"/{t.engine.cgroup_parent}")
    if r.status:
        raise Skip(f"no pods: {r.err.strip()}")


def test_pod(t):
    need_pods(t)
    pod = t.new_pod()
    t.ok("pod", "create", "--name", pod, "--hostname", "podhost", "--network", "none", "--cgroup-parent", f"/{t.engine.cgroup_parent}")
    one, two = t.new_name(), t.new_name()
    t.ok("run", "-d", "--pod", pod, "--name", one, "box", "sh", "-c", "hostname > /tmp/index.html; exec httpd -f -p 127.0.0.1:8080 -h /tmp")
    t.ok("run", "-d", "--pod", pod, "--name", two, "box", "sleep", "1000")
    wait_for(lambda: t.client("exec", two, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/").out == "podhost\n",
             "one container's server reached from the other")
    equal(t.out("pod", "ps", "--filter", f"name={pod}", "--format", "{{.Status}} {{.NumberOfContainers}}"), "Running 3", "the pod")
    t.ok("pod", "stop", "-t", "0", pod)
    t.ok("pod", "rm", pod)


def test_kube(t):
    need_pods(t)
    name = t.start("sh", "-c", "echo from kube; exec sleep 1000")
    kube = t.ok("generate", "kube", name).out
    (t.tmp / "pod.yaml").write_text(kube)
    t.ok("rm", "-f", "-t", "0", name)
    pod = re.search(r"^  name: (\S+)$", kube, re.M).group(1)
    t.ok("play", "kube", "--network", "none", str(t.tmp / "pod.yaml"))
    number = t.out("pod", "inspect", "--format", "{{.ID}}", pod)
    try:
        container = f"{pod}-{name.replace('_', '')}"
        wait_for(lambda: t.out("logs", container) == "from kube", "the container's output")
        contains(t.out("exec", container, "cat", "/proc/1/cmdline"), "sleep", "it runs")
    finally:
        t.ok("play", "kube", "--down", str(t.tmp / "pod.yaml"))
        remove_cgroups(f"libpod_parent/{number}")  # Podman leaves some of them on cgroup v1


def test_terminal(t):
    term = t.terminal("run", "-it", "--rm", "--name", t.new_name(), *t.common(), "-e", "PS1=$> ", "debian", "bash", "--norc", "--noprofile")
    term.expect(PROMPT)
    term.send("test -t 0 && echo ter''minal\n")
    term.expect(r"terminal\r\n")
    term.expect(PROMPT)
    term.wait_size(24, 80)
    term.interrupt()
    term.send("exit 4\n")
    equal(term.wait(), 4, "status of the client")
    name = t.start("sleep", "1000", image="debian")
    term = t.terminal("exec", "-it", "-e", "PS1=$> ", name, "bash", "--norc", "--noprofile")
    term.expect(PROMPT)
    term.send("exit 6\n")
    equal(term.wait(), 6, "status of an exec on a terminal")
    check(t.inspect(name, "State.Status") == "running", "the container goes on")
