# SPDX-License-Identifier: Apache-2.0
"""Processes in running containers: exec in all its forms, its proxies, ps, pause, resume, wait."""
import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import termios
import time

from harness import TIMEOUT, alive, await_answer, check, contains, equal, finish, read_until, wait_for
from oci_terminal import Terminal, await_foreground, read_master, receive_master, resize_master, resized_then

LOOP = ("/bin/sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")


def end(t, name):
    t.ok("delete", "--force", name)


def detached(t, name, *command, flags=(), **kw):
    """The proxy's pid of a detached exec."""
    path = t.tmp / f"{name}.exec.pid"
    path.unlink(missing_ok=True)
    out = open(t.tmp / f"{name}.exec.out", "wb")
    p = subprocess.run(t.argv("exec", "--detach", "--pid-file", path, *flags, name, *command), stdin=subprocess.DEVNULL, stdout=out,
                       stderr=out, timeout=TIMEOUT, start_new_session=True, **kw)
    out.close()
    check(p.returncode == 0, f"exec --detach: {p.returncode}: {(t.tmp / f'{name}.exec.out').read_text()!r}")
    return int(path.read_text())


def status_of_proxy(pid, seconds=TIMEOUT):
    """As its parent, the subreaper, sees it."""
    deadline = time.monotonic() + seconds
    while True:
        got, status = os.waitpid(pid, os.WNOHANG)
        if got:
            return os.waitstatus_to_exitcode(status)
        check(time.monotonic() < deadline, f"the proxy {pid} does not end")
        time.sleep(0.01)


def descriptors(pid):
    """How many the sandbox has, but those of virtual CPUs, which come when they are needed first."""
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            n += "kvm-vcpu" not in os.readlink(f"/proc/{pid}/fd/{fd}")
    return n


def inside(t, name):
    """Numbers of the processes in the container."""
    return sorted(int(line.split()[1]) for line in t.ok("ps", name).out.splitlines()[1:])


def test_exec_streams(t):
    name = t.start()
    r = t.run("exec", name, "/bin/sh", "-c", "cat; echo err >&2; exit 7", stdin=b"in\n")
    equal((r.status, r.out, r.err), (7, "in\n", "err\n"), "streams and status")
    r = t.run("exec", name, "/bin/sh", "-c", "kill -9 $$")
    equal(r.status, 137, "killed")
    data = os.urandom(1 << 20)
    p = t.popen("exec", name, "/bin/cat", stdin=subprocess.PIPE)
    out, _ = p.communicate(data, timeout=TIMEOUT)
    check(out == data, f"{len(out)} bytes came back of {len(data)}, or others")
    r = t.run("exec", name, "echo", "-n", "found in PATH")
    equal(r.out, "found in PATH", "a name without a slash")
    r = t.run("exec", "--env", "A=1", "-e", "B=2", "--cwd", "/tmp", name, "/bin/sh", "-c", "echo $A$B $PWD $HOME")
    equal(r.out, "12 /tmp /root\n", "environment and directory")
    end(t, name)


def test_exec_is_not_a_child(t):
    """A process of exec has no parent inside, a session of its own, and leaves no zombie."""
    name = t.start()
    r = t.ok("exec", name, "/bin/sh", "-c", "read a b c ppid pgid sid rest < /proc/self/stat; echo $PPID $(($$ == 1))")
    equal(r.out, "0 0\n", "parent")
    t.ok("exec", name, "/bin/sh", "-c", "sleep 1000 > /dev/null 2>&1 &")
    wait_for(lambda: len(inside(t, name)) == 2, "the orphan alone beside init")
    r = t.ok("exec", name, "/bin/sh", "-c", "for p in /proc/[0-9]*; do read a b s p r < $p/stat; echo $b $p; done | sort")
    contains(r.out, "(sleep) 1", "an orphan is init's")
    end(t, name)


def test_exec_errors(t):
    name = t.start()
    for command, text in (("nothing", 'exec: "nothing": executable file not found in $PATH'), ("/nothing", "no such file or directory"),
                          ("/etc/passwd", "permission denied"), ("/etc", "permission denied")):
        for extra in ((), ("--detach",)):
            r = t.run("exec", *extra, name, command)
            equal(r.status, 255, f"exec {extra} {command}")
            contains(r.err, text, f"exec {command}")
            equal(len(r.err.splitlines()), 1, "lines")
    r = t.run("exec", "--cwd", "/nowhere", name, "/bin/true")
    equal(r.status, 255, "cwd")
    contains(r.err, "chdir to cwd", "cwd")
    for args in (["exec", name], ["exec", "nobody", "/bin/true"], ["exec", "--tty", name, "/bin/true"], ["exec", "--user", "root", name, "/bin/true"],
                 ["exec", "--tty", "--detach", name, "/bin/true"], ["exec", "--process", "/nowhere", name]):
        r = t.run(*args)
        equal(r.status, 255, " ".join(args))
        contains(r.err, "exec failed", " ".join(args))
    log = t.tmp / "log.json"
    r = t.run("exec", name, "nothing", flags=["--log", log, "--log-format", "json"])
    entry = json.loads(log.read_text().splitlines()[-1])
    equal((r.status, entry["level"]), (255, "error"), "log")
    contains(entry["msg"], "executable file not found in $PATH", "log")
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    r = t.run("exec", name, "/bin/true")
    equal(r.status, 255, "stopped")
    contains(r.err, "stopped", "stopped")
    t.ok("delete", name)


def process_file(t, **change):
    p = {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "cwd": "/", "env": ["PATH=/bin"]}
    p.update(change)
    path = t.tmp / "process.json"
    path.write_text(json.dumps(p))
    return path


def test_exec_process(t):
    name = t.start(change=lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 99}]))
    script = "id -u; id -g; id -G; umask; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ulimit -n; pwd; echo $X"
    f = process_file(t, user={"uid": 1000, "gid": 1001, "additionalGids": [7, 5], "umask": 0o77}, args=["/bin/sh", "-c", script],
                     capabilities={"bounding": ["CAP_CHOWN"], "effective": [], "permitted": []}, noNewPrivileges=True, cwd="/tmp",
                     rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}], env=["PATH=/bin", "X=y"])
    r = t.ok("exec", "--process", f, name)
    equal(r.out.split("\n")[:9], ["1000", "1001", "1001 5 7", "0077", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000001",
                                 "NoNewPrivs:\t1", "50", "/tmp"], "as the file says")
    f = process_file(t, args=["/bin/sh", "-c", "ulimit -n; grep CapEff /proc/self/status"])
    r = t.ok("exec", "--process", f, name)
    lines = r.out.split()
    equal(lines[0], "77", "what the file leaves open is the container's")
    check(int(lines[2], 16) != 0, f"capabilities: {r.out}")
    r = t.ok("exec", "--user", "5:6", "--additional-gids", "8,9", "--no-new-privs", "--cap", "CAP_SYS_ADMIN", name, "/bin/sh", "-c",
             "id -u; id -g; id -G; grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status")
    lines = r.out.split("\n")
    equal(lines[:3] + lines[4:5], ["5", "6", "6 8 9", "NoNewPrivs:\t1"], "as the flags say")
    check(int(lines[3].split()[1], 16) & 1 << 21, lines[3])
    for bad in ({"args": []}, {"cwd": "x"}, {"args": None}, {"user": {"uid": -1}}):
        equal(t.run("exec", "--process", process_file(t, **bad), name).status, 255, str(bad))
    end(t, name)


def test_exec_home(t):
    """HOME comes from the container's /etc/passwd, which may be anything: nobody waits for a writer of a FIFO."""
    name = t.start(change=lambda c: c["mounts"].append({"destination": "/etc", "type": "tmpfs", "source": "tmpfs"}))
    home = ["exec", "--process", process_file(t, args=["/bin/sh", "-c", "echo $HOME"]), name]
    equal(t.ok(*home).out, "/\n", "without a file")
    t.ok("exec", name, "/bin/sh", "-c", "echo root:x:0:0:root:/roots:/bin/sh >/etc/passwd")
    equal(t.ok(*home).out, "/roots\n", "with one")
    t.ok("exec", name, "/bin/sh", "-c", "rm /etc/passwd; mkfifo /etc/passwd")
    equal(t.ok(*home).out, "/\n", "with a FIFO")
    end(t, name)


def test_exec_detached(t):
    name = t.start()
    pid = detached(t, name, "/bin/sh", "-c", "echo started; sleep 0.2; exit 5")
    equal(status_of_proxy(pid), 5, "status")
    equal((t.tmp / f"{name}.exec.out").read_text(), "started\n", "output")
    pid = detached(t, name, *LOOP)
    equal(json.loads(t.ok("ps", "--format", "json", name).out), [t.state_file(name)["sandboxPid"], pid], "ps")
    wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) == 2, "the proxy left with its two descriptors")
    wait_for(lambda: open(f"/proc/{pid}/cmdline").read().startswith("runsc-exec: /bin/sh -c trap"), "the process's arguments in the host's ps")
    wait_for(lambda: "ready\n" in (t.tmp / f"{name}.exec.out").read_text(), "ready for a signal")
    os.kill(pid, signal.SIGTERM)
    equal(status_of_proxy(pid), 9, "a signal to the proxy reaches the process")
    pid = detached(t, name, "/bin/sleep", "1000")
    os.kill(pid, signal.SIGUSR2)
    equal(status_of_proxy(pid), 128 + signal.SIGUSR2, "one that it does not handle")
    pid = detached(t, name, "/bin/sh", "-c", "sleep 1000; true")
    wait_for(lambda: len(inside(t, name)) == 3, "its child")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_for(lambda: len(inside(t, name)) <= 2, "the process is killed with its proxy")
    end(t, name)


def test_exec_ends_with_the_container(t):
    """Whatever is the case with exec'ed processes when the container ends, their proxies end too."""
    name = t.start()
    pids = [detached(t, name, "/bin/sleep", "1000") for _ in range(3)]
    p = t.popen("exec", name, "/bin/sleep", "1000")
    wait_for(lambda: len(inside(t, name)) == 5, "all of them")
    t.ok("kill", name, "KILL")
    equal([status_of_proxy(x) for x in pids], [137] * 3, "proxies")
    equal(finish(p).status, 137, "in the foreground")
    t.ok("delete", name)


def test_exec_foreground_signals(t):
    name = t.start()
    p = t.popen("exec", name, "/bin/sh", "-c", "trap 'echo term' TERM; trap 'exit 3' INT; echo ready; while :; do sleep 0.05; done")
    read_until(p, "ready\n")
    p.send_signal(signal.SIGTERM)
    read_until(p, "term\n")
    p.send_signal(signal.SIGINT)
    equal(finish(p).status, 3, "status")
    p = t.popen("exec", name, "/bin/sleep", "1000")
    wait_for(lambda: len(inside(t, name)) == 2, "sleep")
    p.kill()
    finish(p)
    wait_for(lambda: len(inside(t, name)) == 1, "the process is killed with runsc")
    end(t, name)


def test_exec_many(t):
    name = t.start()
    ps = [t.popen("exec", name, "/bin/sh", "-c", f"echo {i}; exit {i}") for i in range(20)]
    for i, p in enumerate(ps):
        r = finish(p)
        equal((r.status, r.out), (i, f"{i}\n"), f"exec {i}")
    sandbox = t.state_file(name)["sandboxPid"]
    wait_for(lambda: len(inside(t, name)) == 1, "alone")
    before = descriptors(sandbox)
    for i in range(60):
        t.ok("exec", name, "/bin/true")
    wait_for(lambda: descriptors(sandbox) <= before + 3, "descriptors given back")
    end(t, name)


def test_exec_into_ending(t):
    """A container that ends meanwhile: an error or the process's end, never a hang."""
    for _ in range(5):
        name = t.start(("/bin/sleep", "0.05"))
        for p in [t.popen("exec", name, "/bin/sleep", "1000") for _ in range(4)]:
            check(finish(p).status in (137, 255), "status")
        t.wait_status(name, "stopped")
        t.ok("delete", name)


def test_exec_closed_streams(t):
    name = t.start()
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        p = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh"] + t.argv("exec", name, "/bin/sh", "-c", "echo x; exit 4"),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
        equal(p.returncode, 4, f"status with {closed}")
    # The reader's end of a process that lives on: it does not wait for the proxy.
    r = t.run("exec", name, "/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null & echo ok")
    equal(r.out, "ok\n", "output")
    end(t, name)


def test_exec_preserve_fds(t):
    name = t.start()
    path = t.tmp / "three"
    path.write_text("from three\n")
    with open(path) as three, open(t.tmp / "four", "w") as four:
        script = f'exec 3<&{three.fileno()} 4>&{four.fileno()}; exec "$@"'
        p = subprocess.run(["bash", "-c", script, "sh"] + t.argv("exec", "--preserve-fds", "2", name, "/bin/sh", "-c", "cat <&3; echo w >&4"),
                           stdout=subprocess.PIPE, timeout=TIMEOUT, pass_fds=(three.fileno(), four.fileno()))
    equal((p.returncode, p.stdout, (t.tmp / "four").read_text()), (0, b"from three\n", "w\n"), "descriptors 3 and 4")
    r = t.run("exec", "--preserve-fds", "5", name, "/bin/true")
    equal(r.status, 255, "descriptors that are not open")
    end(t, name)


@contextlib.contextmanager
def console(t):
    path = str(t.tmp / "exec.sock")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(TIMEOUT)
    try:
        yield path, listener
    finally:
        listener.close()


def exec_on_console(t, name, *command):
    """The master of a detached exec's terminal, and its proxy."""
    pidfile = t.tmp / "console.pid"
    pidfile.unlink(missing_ok=True)
    f = process_file(t, terminal=True, args=list(command))
    with console(t) as (path, listener):
        p = t.popen("exec", "--process", f, "--console-socket", path, "--detach", "--pid-file", pidfile, name)
        master = receive_master(listener)
        r = finish(p)
        check(r.status == 0, f"exec: {r}")
    return master, int(pidfile.read_text())


def test_exec_console(t):
    name = t.start()
    master, pid = exec_on_console(t, name, "/bin/sh", "-c", "test -t 0 && " + resized_then("while read x; do echo got $x; done; exit 6"))
    try:
        resize_master(master, 33, 111)
        os.write(master, b"hello\n")
        read_master(master, "got hello\r\n")
        os.write(master, b"\x04")
        equal(status_of_proxy(pid), 6, "status")
        # All that it wrote, then the end.
        wait_for(lambda: hung_up(master), "the end of the terminal")
    finally:
        os.close(master)
    sandbox = t.state_file(name)["sandboxPid"]
    before = descriptors(sandbox)
    for _ in range(6):
        master, pid = exec_on_console(t, name, "/bin/echo", "short")
        read_master(master, "short\r\n")
        equal(status_of_proxy(pid), 0, "status")
        os.close(master)
    wait_for(lambda: descriptors(sandbox) <= before + 3, "descriptors given back")
    end(t, name)


def hung_up(master):
    try:
        return os.read(master, 4096) == b""
    except OSError:
        return True


def test_exec_console_closed(t):
    """Whoever closes the master hangs up: the process gets SIGHUP."""
    name = t.start()
    master, pid = exec_on_console(t, name, "/bin/sleep", "1000")
    os.close(master)
    equal(status_of_proxy(pid), 128 + signal.SIGHUP, "status")
    end(t, name)


def test_exec_terminal(t):
    """exec -it from a shell: job control inside, the settings of the terminal outside come back."""
    name = t.start()
    term = Terminal(t.argv("exec", "-it", name, "/bin/sh"))
    try:
        term.send("tty; stty size\n")
        term.expect("24 80\r\n")
        term.send("sleep 1000\n")
        await_foreground(t, "sleep", name)
        term.send("\x03")
        term.send("echo st=$?\n")
        term.expect("st=130\r\n")
        term.resize(30, 90)
        term.send("until stty size | grep '30 90'; do usleep 10000; done\n")
        term.expect("30 90\r\n")
        term.send("exit 5\n")
        equal(term.wait(), 5, "status")
        term.expect_restored()
    finally:
        term.close()
    end(t, name)


def test_exec_terminal_names(t):
    """The terminal of an exec has a name in /dev/pts, apart from those that the container makes; the container's own one is its
    console."""
    name = t.start()
    script = "tty; test -c $(tty) && echo there; echo out > $(tty); echo again > /dev/tty; ls -l $(tty) | cut -d' ' -f3-5 | tr -s ' '; id -u"
    a, pa = exec_on_console(t, name, "/bin/sh", "-c", "tty; read x")
    first = read_master(a, r"/dev/pts/\d+\r\n").strip()
    b, pb = exec_on_console(t, name, "/bin/sh", "-c", script)
    got = read_master(b, r"\r\n0\r\n")
    contains(got, "there\r\nout\r\nagain\r\n", "its name works")
    check(got.split()[0] != first, f"the name {first} twice")
    os.close(b)
    status_of_proxy(pb)
    wait_for(lambda: got.split()[0] not in t.ok("exec", name, "/bin/sh", "-c", "echo /dev/pts/*").out.split(), "the name is gone")
    os.close(a)
    status_of_proxy(pa)
    end(t, name)


def test_exec_streams_of_user(t):
    """A user who is not root may open its standard streams anew."""
    name = t.start()
    p = t.popen("exec", "--user", "1000:1000", name, "/bin/sh", "-c", "echo a > /dev/stdout; echo b > /proc/self/fd/2; cat /dev/stdin",
                stdin=subprocess.PIPE)
    out, err = p.communicate(b"in\n", timeout=TIMEOUT)
    equal((p.returncode, out, err), (0, b"a\nin\n", b"b\n"), "streams")
    end(t, name)


def test_exec_two_terminals(t):
    name = t.start()
    a, pa = exec_on_console(t, name, "/bin/sh", "-c", "echo a; read x; echo a$x")
    b, pb = exec_on_console(t, name, "/bin/sh", "-c", "echo b; read x; echo b$x")
    os.write(b, b"2\n")
    read_master(b, "b2\r\n")
    os.write(a, b"1\n")
    read_master(a, "a1\r\n")
    equal((status_of_proxy(pa), status_of_proxy(pb)), (0, 0), "status")
    os.close(a)
    os.close(b)
    end(t, name)


def test_pause(t):
    name = t.start(("/bin/sh", "-c", "trap 'exit 4' TERM; echo ready; while :; do :; done"))
    wait_for(lambda: "ready\n" in t.output(name), "ready")
    pid = t.state_file(name)["sandboxPid"]
    t.ok("pause", name)
    equal(t.status_of(name), "paused", "status")
    before = cpu_ticks(pid)
    time.sleep(0.4)
    check(cpu_ticks(pid) - before <= 4, f"a paused container used {cpu_ticks(pid) - before} ticks")
    r = t.run("pause", name)
    check(r.status != 0, "pausing twice")
    r = t.run("exec", name, "/bin/true")
    equal(r.status, 255, "exec")
    contains(r.err, "paused", "exec")
    p = t.popen("exec", "--ignore-paused", name, "/bin/echo", "late")
    t.ok("kill", name, "TERM")
    time.sleep(0.2)
    equal((t.status_of(name), p.poll()), ("paused", None), "nothing happens")
    t.ok("resume", name)
    finish(p)
    t.wait_status(name, "stopped")
    check(t.run("resume", name).status != 0, "resuming a stopped one")
    t.ok("delete", name)
    name = t.start(("/bin/sh", "-c", "while :; do :; done"))
    t.ok("pause", name)
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_wait(t):
    name = t.start(("/bin/sh", "-c", "trap 'exit 33' TERM; echo ready; while :; do sleep 0.05; done"))
    wait_for(lambda: "ready\n" in t.output(name), "ready")
    pid = [x for x in inside(t, name)][0]
    ps = [t.popen("wait", name) for _ in range(3)] + [t.popen("wait", "--pid", pid, name)]
    for p in ps:
        await_answer(p)
    t.ok("kill", name, "TERM")
    for p in ps:
        equal(json.loads(finish(p).out), {"id": name, "exitStatus": 33}, "wait")
    t.wait_status(name, "stopped")
    contains(t.run("wait", name).err, "not running", "a stopped one")
    t.ok("delete", name)
    check(t.run("wait", "nobody").status != 0, "no such container")
    name = t.start()
    detached(t, name, "/bin/sleep", "1000")
    other = inside(t, name)[1]
    p = t.popen("wait", "--pid", other, name)
    await_answer(p)
    t.ok("kill", "--pid", other, name, "KILL")
    equal(json.loads(finish(p).out)["exitStatus"], 137, "another process")
    check(t.run("wait", "--pid", "999", name).status != 0, "no such process")
    end(t, name)


def test_ps_is_text(t):
    """A process can call itself what it likes; the terminal of who looks at it gets text."""
    name = t.start(("/bin/sh", "-c", r"printf '\033[2Jx\ny' > /proc/$$/comm; while :; do sleep 0.05; done"))
    wait_for(lambda: "?[2Jx y" in t.ok("ps", name).out, "the name, without what a terminal obeys")
    check("\033" not in t.ok("ps", name).out, "control characters")
    end(t, name)


def test_events(t):
    name = t.start()
    r = t.ok("events", "--stats", name)
    e = json.loads(r.out)
    equal((e["type"], e["id"]), ("stats", name), "event")
    check(e["data"]["cpu"]["usage"]["total"] > 0 and e["data"]["pids"]["current"] > 0, r.out)
    p = t.popen("events", "--interval", "50ms", name)
    read_until(p, "\n" + '{"type":"stats"')
    t.ok("kill", name, "KILL")
    equal(finish(p).status, 0, "it ends with the container")
    check(t.run("events", "--stats", name).status != 0, "a stopped one")
    for bad in ("x", "5x", "0", "-1s", "nan", "1e30m"):
        check(t.run("events", "--interval", bad, name).status != 0, f"a bad interval: {bad}")
    t.ok("delete", name)
