# SPDX-License-Identifier: Apache-2.0
"""create, start, and the one process that stands for a container, as engines use them."""
import json
import os
import signal
import subprocess
import time

from harness import TIMEOUT, alive, check, children, create, describe, equal, finish, reap, wait_for


def test_create_start(t):
    name, pid = create(t, ["/bin/sh", "-c", "echo ran; read x; exit 41"])
    state = json.loads(t.ok("state", name).out)
    equal((state["status"], state["pid"], state["id"]), ("created", pid, name), "state")
    check(pid in children(), f"the sandbox {pid} is not our child")
    equal(len(children()), 1, f"our children: {[describe(p) for p in children()]}")
    equal(t.output(name), "", "output before start")
    r = t.run("create", "--bundle", t.bundle(), name)
    check(r.status == 128 and "exists already" in r.err, r)
    t.ok("start", name)
    equal(reap(pid), 41, "status")
    equal(t.output(name), "ran\n", "output")
    equal(children(), [], "children left")
    equal(t.status_of(name), "stopped", "status")
    for command, message in (("start", "stopped"), ("kill", "container not running")):
        r = t.run(command, name)
        check(r.status == 128 and message in r.err, r)
    t.ok("kill", "--all", name, "KILL")
    t.ok("delete", name)
    r = t.run("start", name)
    check(r.status == 128 and "does not exist" in r.err, r)


def test_start_once(t):
    name, pid = create(t, ["/bin/sleep", "1000"])
    procs = [t.popen("start", name) for _ in range(8)]
    results = [finish(p) for p in procs]
    equal(sorted(r.status for r in results), [0] + [128] * 7, f"of eight starts one: {results}")
    r = t.run("delete", name)
    check(r.status == 128 and "running" in r.err, r)
    t.ok("kill", name, "KILL")
    equal(reap(pid), 128 + signal.SIGKILL, "status")
    t.ok("delete", name)


def test_create_kill_delete(t):
    """A created container that is never started: signals end it, delete removes it."""
    for sig in ("TERM", "KILL", "USR1"):
        name, pid = create(t, ["/bin/true"])
        t.ok("kill", name, sig)
        equal(reap(pid), 128 + getattr(signal, f"SIG{sig}"), f"SIG{sig}")
        t.ok("delete", name)
    name, pid = create(t, ["/bin/true"])
    t.ok("kill", name, "WINCH")
    equal(t.status_of(name), "created", "an ignored signal")
    t.ok("delete", name)
    reap(pid)
    name, pid = create(t, ["/bin/true"])
    os.kill(pid, signal.SIGINT)
    equal(reap(pid), 128 + signal.SIGINT, "a signal to the process")
    t.ok("delete", "--force", name)


def test_create_errors(t):
    """What can be found wrong before the start is told by create, which then leaves nothing."""
    for args, message in ((["nothing-there"], "executable file not found in $PATH"), (["/bin"], "/bin"), (["/etc/passwd"], "permission denied")):
        r = t.run("create", "--bundle", t.bundle(args), t.new_id())
        check(r.status == 128 and message in r.err, r)
        t.expect_clean()
    r = t.run("create", "--bundle", t.bundle(["/bin/true"], lambda c: c["process"].update(cwd="/etc/passwd")), t.new_id())
    check(r.status == 128 and "cwd" in r.err, r)
    t.expect_clean()


def test_start_error(t):
    """What only execve(2) finds: start says so, and the container has stopped."""
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    (rootfs / "bin/broken").write_bytes(b"\x7fELF nothing of the kind")
    (rootfs / "bin/broken").chmod(0o755)
    name, pid = create(t, ["/bin/broken"], rootfs=rootfs)
    r = t.run("start", name)
    check(r.status == 128 and "exec format error" in r.err, r)
    equal(reap(pid), 128, "status")
    t.ok("delete", name)


def test_pid_signals(t):
    """Signals sent to the init pid by plain kill(2) arrive at the container's init."""
    names = ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "WINCH", "URG", "IO", "PWR", "XCPU", "VTALRM", "PROF"]
    traps = "".join(f"trap 'echo {n}' {n}; " for n in names) + "trap 'echo RT' 40; "
    name, pid = create(t, ["/bin/sh", "-c", traps + "echo ready; while :; do sleep 0.02; done"])
    t.ok("start", name)
    wait_for(lambda: "ready\n" in t.output(name), "ready")
    for n in names:
        os.kill(pid, getattr(signal, f"SIG{n}"))
        wait_for(lambda: f"\n{n}\n" in t.output(name), f"SIG{n} handled")
    os.kill(pid, 40)
    wait_for(lambda: "\nRT\n" in t.output(name), "signal 40 handled")
    os.kill(pid, signal.SIGKILL)
    equal(reap(pid), -signal.SIGKILL, "killed")
    wait_for(lambda: not children(), "the gofer gone")
    equal(t.status_of(name), "stopped", "status")
    t.ok("delete", name)


def test_stale_state(t):
    """After a reboot the numbers mean other processes."""
    name, pid = create(t, ["/bin/true"])
    path = t.state / name / "state.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "bootId": "11111111-2222-3333-4444-555555555555"}))
    equal(t.status_of(name), "stopped", "of another boot")
    r = t.run("kill", name, "KILL")
    check("container not running" in r.err and alive(pid), r)
    path.write_text(json.dumps({**state, "sandboxStart": state["sandboxStart"] + 1}))
    equal(t.status_of(name), "stopped", "another process with the same number")
    path.write_text(json.dumps(state))
    t.ok("delete", name)
    reap(pid)


def test_create_killed(t):
    """runsc create killed at any moment: what it leaves can be deleted, and nothing stays."""
    bundle = t.bundle(["/bin/true"])
    for step in range(24):
        name = t.new_id()
        p = t.popen("create", "--bundle", bundle, name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(step * 0.001)
        p.kill()
        p.wait()
        t.ok("delete", "--force", name)
    t.expect_clean()


def test_created_dies(t):
    """Either process of a created container is killed: the container has stopped, and can be deleted."""
    for victim in ("sandboxPid", "goferPid"):
        name, pid = create(t, ["/bin/true"])
        os.kill(t.state_file(name)[victim], signal.SIGKILL)
        reap(pid)
        wait_for(lambda: not children(), "both gone")
        equal(t.status_of(name), "stopped", f"{victim} killed")
        r = t.run("start", name)
        check(r.status == 128 and "stopped" in r.err, r)
        t.ok("delete", name)


def test_create_race(t):
    """Many create the same container, others delete it: one succeeds at a time, and nothing stays."""
    bundle = t.bundle(["/bin/true"])
    name = t.new_id()
    procs = [t.popen("create", "--bundle", bundle, name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(6)]
    results = [p.wait(timeout=TIMEOUT) for p in procs]
    equal(sorted(results), [0] + [128] * 5, "six creates")
    for p in [t.popen(*c, name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
              for c in [("delete",), ("start",), ("kill",), ("delete", "--force"), ("state",), ("delete", "--force"), ("start",)]]:
        check(p.wait(timeout=TIMEOUT) in (0, 128), "a racing command crashed")
    t.ok("delete", "--force", name)


def test_twenty_lives(t):
    """Twenty containers at once, created, started, ended and deleted by commands that run side by side."""
    bundle = t.bundle(["/bin/sh", "-c", "exit 5"])
    names = [t.new_id() for _ in range(20)]

    def all_at_once(*command, per=lambda name: []):
        procs = [t.popen(*command, *per(n), n, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for n in names]
        equal([p.wait(timeout=TIMEOUT) for p in procs], [0] * len(names), command[0])
    all_at_once("create", "--bundle", bundle, per=lambda n: ["--pid-file", t.tmp / f"{n}.pid"])
    pids = [int((t.tmp / f"{n}.pid").read_text()) for n in names]
    equal(sorted(children()), sorted(pids), "our children")
    all_at_once("start")
    equal([reap(p) for p in pids], [5] * len(pids), "statuses")
    all_at_once("delete")


def test_preserve_fds(t):
    r1, w1 = os.pipe()
    script = "echo three >&3; read x <&4; echo $x; (echo five >&5) 2>/dev/null || echo no five"
    name = t.new_id()
    file = t.tmp / "four"
    file.write_text("from four\n")
    fd = os.open(file, os.O_RDONLY)
    p = subprocess.run(["sh", "-c", f'exec 3>&{w1} 4<&{fd} "$@"', "sh"] + t.argv("run", "--preserve-fds", 2, "--bundle", t.bundle(["/bin/sh", "-c", script]), name),
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=[w1, fd], timeout=TIMEOUT)
    os.close(w1)
    os.close(fd)
    with os.fdopen(r1) as f:
        equal((p.returncode, p.stdout, f.read()), (0, b"from four\nno five\n", "three\n"), "descriptors")
    r = t.run("run", "--preserve-fds", 3, "--bundle", t.bundle(), t.new_id())
    check(r.status == 128 and "--preserve-fds" in r.err, r)


def test_run_keep(t):
    name = t.new_id()
    equal(t.run("run", "--keep", "--bundle", t.bundle(["/bin/false"]), name).status, 1, "status")
    equal(t.status_of(name), "stopped", "kept")
    t.ok("delete", name)
