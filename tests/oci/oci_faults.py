# SPDX-License-Identifier: Apache-2.0
"""Faults: processes killed, disks full, files truncated, memory and pids used up. Nothing hangs, nothing stays behind."""
import json
import os
import re
import signal
import subprocess
import time

from harness import TIMEOUT, Failure, alive, check, contains, equal, finish, read_until, stop, wait_for


def foreground(t, command=("/bin/sh", "-c", "echo ready; while :; do sleep 0.1; done"), flags=(), **kw):
    """A running `run` whose container has said "ready"; the Popen, the id and the state."""
    name = t.new_id()
    p = t.popen("run", "--bundle", t.bundle(command, **kw), name, flags=flags)
    read_until(p, "ready\n")
    return p, name, t.state_file(name)


def gone(state):
    return not alive(state["sandboxPid"]) and not alive(state["goferPid"])


def test_kill_cli(t):
    p, name, state = foreground(t)
    p.kill()
    p.wait()
    wait_for(lambda: gone(state), "sandbox and gofer ended with their runsc")
    equal(t.status_of(name), "stopped", "status")
    t.ok("delete", name)


def test_kill_sandbox(t):
    p, name, state = foreground(t)
    os.kill(state["sandboxPid"], signal.SIGKILL)
    r = finish(p)
    equal(r.status, 137, "status")
    equal(len(r.err.strip().splitlines()), 1, f"lines of {r.err!r}")
    contains(r.err, "the sandbox was killed by signal 9", "message")
    wait_for(lambda: gone(state), "the gofer ended with its sandbox")


def test_kill_gofer(t):
    for flags in ([], ["--directfs=false"]):
        p, name, state = foreground(t, ["/bin/helper", "files", "/root"], flags=flags, rootfs=copy_root(t))
        os.kill(state["goferPid"], signal.SIGKILL)
        r = finish(p)
        # Without directfs the container may see an error, and end by itself, before the sandbox does.
        if not (flags and (r.status, r.out) == (9, "error EIO\n")):
            equal(r.status, 128, f"status ({r!r})")
            equal(len(r.err.strip().splitlines()), 1, f"lines of {r.err!r}")
            contains(r.err, "gofer", "message")
        wait_for(lambda: gone(state), "the sandbox ended with its gofer")


def test_kill_detached(t):
    """The same behind the back of a detached container: delete cleans up without force, as it has stopped."""
    for victim in ("sandboxPid", "goferPid"):
        name = t.start()
        state = t.state_file(name)
        os.kill(state[victim], signal.SIGKILL)
        wait_for(lambda: gone(state), "sandbox and gofer gone")
        equal(t.status_of(name), "stopped", "status")
        t.ok("delete", name)
        t.expect_clean()
        name = t.start()
        state = t.state_file(name)
        os.kill(state[victim], signal.SIGKILL)
        t.ok("delete", "--force", name)
        wait_for(lambda: gone(state), "sandbox and gofer gone")


def test_kill_cli_at_any_time(t):
    """Killed at any moment of its start, runsc leaves nothing that delete --force does not remove."""
    b = t.bundle(["/bin/sleep", "1000"])
    for i in range(24):
        name = t.new_id()
        p = t.popen("run", "--bundle", b, name)
        time.sleep(i * 0.0015)
        p.kill()
        p.communicate()
        if i % 2:
            wait_for(lambda: t.run("delete", "--force", name).status == 0, "deleted")
        else:
            # Its sandbox ends a moment later; what has stopped needs no force.
            wait_for(lambda: t.run("delete", name).status == 0 or not (t.state / name).exists(), "deleted")
        t.expect_clean()


def test_interrupt_at_any_time(t):
    """A signal to runsc at any moment of its start ends it in order: nothing is left, without delete."""
    b = t.bundle(["/bin/sleep", "1000"])
    for i in range(16):
        p = t.popen("run", "--bundle", b, t.new_id())
        time.sleep(i * 0.0015)
        p.send_signal(signal.SIGTERM if i % 2 else signal.SIGINT)
        r = finish(p)
        check(r.status in (128, 128 + signal.SIGTERM, 128 + signal.SIGINT), r)
        t.expect_clean()


def test_stop_sandbox_early(t):
    """delete --force removes a container whose sandbox stopped while it was being created; its creator gives up."""
    b = t.bundle(["/bin/sleep", "1000"])
    for command in ("run", "create"):
        name = t.new_id()
        with open(t.tmp / f"{name}.out", "wb") as out:
            p = t.popen(command, "--bundle", b, name, flags=["--ignore-cgroups"], stdout=out, stderr=out)
            stop(t.state_file(name)["sandboxPid"])
            time.sleep(0.1)
            t.ok("delete", "--force", name)
            finish(p)
        t.expect_clean()


def stopped_early(t, step):
    """A foreground runsc that was stopped once its record has come to a step, and not to the next one; the Popen and the id."""
    steps = [lambda s: True, lambda s: s["sandboxPid"], lambda s: s["isStarted"]]
    b = t.bundle(["/bin/sh", "-c", "echo ready; while :; do sleep 0.1; done"])

    def record():
        path = t.state / name / "state.json"
        return json.loads(path.read_text()) if path.exists() else None

    for _ in range(50):
        name = t.new_id()
        p = t.popen("run", "--bundle", b, name, flags=["--ignore-cgroups"])
        end = time.monotonic() + TIMEOUT
        while not ((state := record()) and steps[step](state)):  # without a pause: it is soon over
            check(time.monotonic() < end, f"after {TIMEOUT} s: {state}")
        stop(p.pid)
        if not steps[step + 1](record()):
            return p, name
        os.kill(p.pid, signal.SIGCONT)
        t.ok("kill", name, "KILL")
        finish(p)
    raise Failure("never early enough")


def test_kill_before_record(t):
    """A program that runs can be killed, though its runsc has not yet put on record that it does, or even its sandbox: kill
    waits for that."""
    for step in (0, 1):
        p, name = stopped_early(t, step)
        if step:
            read_until(p, "ready\n")
        killer = t.popen("kill", name, "TERM")
        time.sleep(0.1)
        equal(killer.poll(), None, "kill, before its end")
        os.kill(p.pid, signal.SIGCONT)
        r = finish(killer)
        equal((r.status, r.err), (0, ""), "kill")
        equal(finish(p).status, 128 + signal.SIGTERM, "status")


def test_stop_sandbox(t):
    """A sandbox that does not answer (stopped by SIGSTOP): kill says so, delete --force removes it."""
    name = t.start()
    state = t.state_file(name)
    stop(state["sandboxPid"])
    r = t.run("kill", name, "TERM")
    check(r.status == 128 and "does not answer" in r.err, r)
    t.ok("kill", name, "KILL")
    wait_for(lambda: not alive(state["sandboxPid"]), "killed")
    t.ok("delete", name)


def copy_root(t):
    root = t.tmp / f"root-{t.count}-{time.monotonic_ns()}"
    subprocess.run(["cp", "-a", t.rootfs, root], check=True)
    return root


class SmallDisk:
    def __init__(self, t, size):
        self.path = t.tmp / f"disk-{time.monotonic_ns()}"
        self.path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", self.path], check=True)

    def fill(self):
        fd = os.open(self.path / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(fd, bytes(4096))
        except OSError:
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)


def test_full_state_directory(t):
    with SmallDisk(t, "64k") as disk:
        disk.fill()
        flags = [f"--root={disk.path}/state"]
        r = t.run("run", "--bundle", t.bundle(), t.new_id(), flags=flags)
        check(r.status == 128 and "No space left" in r.err and str(disk.path) in r.err, r)
        equal(len(r.err.strip().splitlines()), 1, f"lines of {r.err!r}")
        left = [p for p in (disk.path / "state").iterdir()] if (disk.path / "state").exists() else []
        equal(left, [], "left in the state directory")


def test_full_pid_file(t):
    with SmallDisk(t, "16k") as disk:
        disk.fill()
        r = t.run("run", "--bundle", t.bundle(["/bin/sleep", "100"]), "--pid-file", disk.path / "pid", t.new_id())
        check(r.status == 128 and "--pid-file" in r.err, r)


def test_full_disk_inside(t):
    for flags in ([], ["--directfs=false"]):
        with SmallDisk(t, "1m") as disk:
            change = lambda c: c["mounts"].append({"destination": "/mnt", "type": "bind", "source": str(disk.path), "options": ["bind"]})
            r = t.run_bundle(["/bin/sh", "-c", "helper fill /mnt/f && rm /mnt/f && echo x > /mnt/g && cat /mnt/g"], change, flags=flags)
            check(r.status == 0 and r.out.startswith("ENOSPC after") and r.out.endswith("x\n"), r)


def test_full_tmpfs_inside(t):
    change = lambda c: c["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["size=256k"]})
    r = t.run_bundle(["/bin/sh", "-c", "helper fill /mnt/f && rm /mnt/f && echo x > /mnt/g && cat /mnt/g"], change)
    equal((r.status, r.out), (0, "ENOSPC after 262144\nx\n"), r.err)


def test_full_disk_output(t):
    """Standard output on a full disk: the container gets the error."""
    with SmallDisk(t, "16k") as disk:
        disk.fill()
        out = os.open(disk.path / "filler", os.O_WRONLY | os.O_APPEND)
        r = finish(t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c", "echo x || exit 3", stdout=out))
        os.close(out)
        check(r.status != 0 and "No space left" in r.err, r)


def test_mapped_file_truncated(t):
    """The host truncates a file that the container has mapped: SIGBUS there, as under Linux; the sandbox lives."""
    root = copy_root(t)
    path = root / "mnt/file"
    path.write_bytes(b"A" * 16384)
    for flags in ([], ["--directfs=false"], ["--file-access=shared"]):
        path.write_bytes(b"A" * 16384)
        p = t.popen("run", "--bundle", t.bundle(["/bin/sh", "-c", "helper mapped /mnt/file; echo status $?"], rootfs=root), t.new_id(),
                    stdin=subprocess.PIPE, flags=flags)
        read_until(p, "ready AA\n")
        os.truncate(path, 4096)
        p.stdin.write(b"go\n")
        p.stdin.flush()
        r = finish(p)
        equal((r.status, r.out), (0, "SIGBUS\nstatus 0\n"), f"{flags} {r.err}")


def test_memory_exhausted(t):
    """The largest task is killed, the sandbox and the others live."""
    p = t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c",
                "sleep 1000 & s=$!; helper hog 2000; echo hog $?; kill -0 $s && echo others live; seq 1 1000 | sort -n | tail -n 1; exit 0",
                flags=["--memory=256m"])
    r = finish(p)
    equal((r.status, r.out.replace("Killed\n", "")), (0, "hog 137\nothers live\n1000\n"), r.err)


def test_memory_limit_of_bundle(t):
    r = t.run_bundle(["/bin/sh", "-c", "helper hog 1000; echo hog $?"],
                     lambda c: c["linux"].update(resources={"memory": {"limit": 128 << 20}}))
    equal((r.status, r.out.replace("Killed\n", "")), (0, "hog 137\n"), r.err)


def test_memory_tmpfs(t):
    """Files in memory count, too."""
    r = t.run("do", f"--root={t.rootfs}", "/bin/sh", "-c", "dd if=/dev/zero of=/tmp/f bs=1M count=1000 2>&1 | tail -n 1; rm /tmp/f; echo alive",
              flags=["--memory=128m"])
    check(r.status == 0 and r.out.endswith("alive\n"), r)


def test_pids_limit(t):
    change = lambda c: c["linux"].update(resources={"pids": {"limit": 20}})
    r = t.run_bundle(["/bin/helper", "forks", "1000"], change)
    m = re.fullmatch(r"(\d+) EAGAIN\n", r.out)
    check(r.status == 0 and m and 15 <= int(m[1]) <= 19, r)


def test_fork_bomb(t):
    """A fork bomb under a pids limit: the container can still be asked and killed."""
    change = lambda c: c["linux"].update(resources={"pids": {"limit": 64}})
    name = t.start(["/bin/helper", "bomb"], change)
    wait_for(lambda: "full\n" in t.output(name), "bomb exploded")
    t.ok("state", name)
    t.ok("kill", name, "USR1")
    wait_for(lambda: "answer\n" in t.output(name), "answer")
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)


def test_fork_many(t):
    r = t.do("/bin/helper", "forks", "300")
    equal((r.status, r.out), (0, "300 all\n"), r.err)


def test_descriptors_run_out(t):
    """Few descriptors for runsc itself: an error, no crash."""
    for n in (3, 5, 8, 12, 16, 20):
        p = subprocess.run(["sh", "-c", f'ulimit -n {n}; exec "$@"', "sh"] + t.argv("do", f"--root={t.rootfs}", "/bin/true"),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
        check(p.returncode in (0, 126, 127, 128), f"ulimit -n {n}: status {p.returncode} {p.stderr!r}")
        check(p.returncode == 0 or p.stderr, f"ulimit -n {n}: no message")
    t.expect_clean()


def test_hostile_control_messages(t):
    """What reaches the control socket is checked."""
    import socket
    name = t.start()
    path = str(t.state / name)
    sockets = [p for p in os.listdir(path) if p != "state.json"]
    check(sockets, f"no control socket in {os.listdir(path)}")
    for blob in (b"", b"x", bytes(100), os.urandom(4000), b"\xd0\x0d\xfe\xed" + bytes(60), b"\xd0\x0d\xfe\xed" + b"\xff" * 200):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(TIMEOUT)
        dirfd = os.open(path, os.O_RDONLY)
        s.connect(f"/proc/self/fd/{dirfd}/{sockets[0]}")
        os.close(dirfd)
        if blob:
            s.send(blob)
            s.recv(65536)
        s.close()
    socks = []
    for _ in range(40):  # more than it takes at once
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        dirfd = os.open(path, os.O_RDONLY)
        try:
            s.setblocking(False)
            s.connect(f"/proc/self/fd/{dirfd}/{sockets[0]}")
        except BlockingIOError:
            pass
        os.close(dirfd)
        socks.append(s)
    for s in socks:
        s.close()
    time.sleep(0.1)
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)
