# SPDX-License-Identifier: Apache-2.0
"""Containers on a terminal: prompt, echo, job control, window sizes, --console-socket, and the settings put back."""
import array
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

from harness import TIMEOUT, Failure, alive, check, contains, equal, read_until, wait_for

PROMPT = "$> "


class Terminal:
    """A pty with runsc on it, as its session's foreground group."""

    def __init__(self, argv, rows=24, columns=80, env=None):
        self.master, self.slave = pty.openpty()
        self.seen = ""
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                for fd in (0, 1, 2):
                    os.dup2(self.slave, fd)
                os.closerange(3, 256)
                os.execve(argv[0], argv, env or dict(os.environ, TERM="dumb", PS1=PROMPT))
            finally:
                os._exit(99)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds=0.05):
        if select.select([self.master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.master, 65536).decode(errors="replace")

    def expect(self, pattern, seconds=TIMEOUT):
        """Waits for a regular expression; what came before and with it is consumed."""
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.seen)
            if m:
                self.seen = self.seen[m.end():]
                return m
            if time.monotonic() > end:
                raise Failure(f"terminal: after {seconds} s {pattern!r} is not in {self.seen!r}")
            self.read()

    def press_until(self, key, pattern, seconds=TIMEOUT):
        """For what a shell does with the next key only, whenever it has come to that: a trap, above all."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            check(time.monotonic() < end, f"terminal: {pattern!r} is not in {self.seen!r}")
            self.send(key)
            self.read(0.2)

    def wait(self, seconds=TIMEOUT):
        """Exit status of runsc, as a shell shows it."""
        end = time.monotonic() + seconds
        while True:
            self.read(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if time.monotonic() > end:
                raise Failure(f"terminal: runsc does not end; on the screen: {self.seen!r}")

    def expect_restored(self, seconds=TIMEOUT):
        wait_for(lambda: termios.tcgetattr(self.slave)[:6] == self.before[:6], "the terminal's settings put back", seconds)

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)

    def close(self):
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def on_terminal(t, *args, **kw):
    term = Terminal(t.argv(*args), **kw)
    try:
        yield term
    finally:
        term.close()


@contextlib.contextmanager
def shell(t, **kw):
    with on_terminal(t, "do", "/bin/bash", "--norc", "--noprofile", "-i", **kw) as term:
        term.expect(r"[$#>] $")
        term.send("PS1='$''> '; bind 'set enable-bracketed-paste off' 2>/dev/null\n")
        term.expect(r"\$> $")
        yield term


def processes(t, name):
    """(name, state, whether it is in the foreground of its terminal) of each process in the container."""
    path = t.tmp / "processes.json"
    path.write_text(json.dumps({"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/bin"], "capabilities": {},
                                "rlimits": [], "noNewPrivileges": False, "args": ["/bin/sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null"]}))
    out = []
    for line in t.run("exec", "--process", path, name).out.splitlines():
        program, rest = line.split("(", 1)[1].rsplit(")", 1)
        state, _, group, _, _, foreground = rest.split()[:6]
        out.append((program, state, group == foreground))
    return out


def await_foreground(t, program, name=None):
    """Until what was typed has the terminal: from then on keys are for it, and signals too. name: of the only container."""
    name = name or next(p.name for p in t.state.iterdir())
    wait_for(lambda: any(p == program and s in "SR" and f for p, s, f in processes(t, name)), f"{program} in the foreground")


def test_terminal_echo(t):
    with shell(t) as term:
        term.send("echo wo''rd\n")
        term.expect(r"echo wo''rd\r\n")  # echo of the line
        term.expect(r"word\r\n\$> ")
        term.send("tty; test -t 0 -a -t 1 -a -t 2 && echo ter''minal\n")
        term.expect(r"/dev/\S+\r\nterminal\r\n\$> ")
        term.send("cat\n")
        term.expect("cat\r\n")
        await_foreground(t, "cat")
        term.send("abX\x7fc\n")  # a line edited by the line discipline
        term.expect("abc\r\n")
        term.send("\x04")
        term.expect(r"\$> ")
        term.send("exit 7\n")
        equal(term.wait(), 7, "status")
        term.expect_restored()


def test_terminal_no_spurious_newlines(t):
    with on_terminal(t, "do", f"--root={t.rootfs}", "/bin/printf", "a\\nb\\n") as term:
        equal(term.wait(), 0, "status")
        wait_for(lambda: term.read(0.01) or term.seen.count("\n") >= 2, "the output")  # the kernel passes it on in its own time
        term.read(0.1)
        equal(term.seen, "a\r\nb\r\n", "output")
        term.expect_restored()


def test_terminal_interrupt(t):
    with shell(t) as term:
        term.send("sleep 1000\n")
        term.expect("sleep 1000\r\n")
        await_foreground(t, "sleep")
        term.send("\x03")
        term.expect(r"\^C[\s\S]*\$> ")
        term.send("echo st''atus $?\n")
        term.expect("status 130\r\n")
        term.send("sleep 1000\n")
        await_foreground(t, "sleep")
        term.send("\x1c")
        term.expect(r"Quit[\s\S]*\$> ")
        term.send("exit\n")
        equal(term.wait(), 131, "status of the last command")
        term.expect_restored()


def test_terminal_jobs(t):
    with shell(t) as term:
        term.send("sleep 1000\n")
        await_foreground(t, "sleep")
        term.send("\x1a")
        term.expect(r"\[1\]\+\s+Stopped\s+sleep 1000\r\n\$> ")
        term.send("bg\n")
        term.expect(r"\[1\]\+ sleep 1000 &\r\n\$> ")
        term.send("jobs\n")
        term.expect(r"Running\s+sleep 1000 &\r\n\$> ")
        term.send("fg\n")
        term.expect("sleep 1000\r\n")
        await_foreground(t, "sleep")
        term.send("\x03")
        term.expect(r"\$> ")
        term.send("cat &\n")
        term.expect(r"\$> ")
        name = next(p.name for p in t.state.iterdir())
        wait_for(lambda: ("cat", "T", False) in processes(t, name), "cat stopped in the background")
        term.send("jobs\n")
        term.expect(r"Stopped\s+(\(tty input\)\s+)?cat\r\n")
        term.expect(r"\$> ")
        term.send("fg\n")
        term.expect("cat\r\n")
        await_foreground(t, "cat")
        term.send("line\n")
        term.expect("line\r\nline\r\n")
        term.send("\x03")
        term.expect(r"\$> ")
        term.send("exit 0\n")
        equal(term.wait(), 0, "status")
        term.expect_restored()


def test_terminal_resize(t):
    with shell(t, rows=31, columns=97) as term:
        term.send("stty size\n")
        term.expect(r"31 97\r\n\$> ")
        term.send("trap 'echo ch''anged' WINCH\n")
        term.expect(r"WINCH\r\n\$> ")
        # At once, as readline then sets the size that it has just read: what it does not change it must not undo.
        for rows in range(40, 48):
            term.resize(rows, 120)
            term.press_until("\n", "changed\r\n")  # readline holds the trap back until a key is pressed
            term.send("stty size\n")
            term.expect(rf"{rows} 120\r\n\$> ")
        term.send("exit 0\n")
        equal(term.wait(), 0, "status")


def test_terminal_settings_inside(t):
    """The container has the user's settings, and changing them changes nothing outside."""
    with shell(t) as term:
        check(term.raw(), "the host's terminal is not raw")
        term.send("stty -a | grep -o ' echo \\| icanon\\| -echo '\n")
        term.expect("icanon")
        term.send("stty -echo; echo qu''iet\n")
        term.expect("quiet\r\n")
        term.send("echo un''seen\n")
        term.expect("unseen\r\n")
        check("un''seen" not in term.seen, "echo is off")
        term.send("exit 3\n")
        equal(term.wait(), 3, "status")
        term.expect_restored()


def test_terminal_suspended_outside(t):
    """Keys reach the container: the host's Ctrl-Z does not stop runsc."""
    with on_terminal(t, "do", f"--root={t.rootfs}", "/bin/sh", "-c",
                     "stty -isig; echo ready; head -c 1 >/dev/null; echo done") as term:
        term.expect("ready")
        term.send("\x1a\n")
        term.expect("done")
        equal(term.wait(), 0, "status")


def test_terminal_restored_after_signals(t):
    for victim in ("cli", "sandbox", "gofer", "term"):
        with on_terminal(t, "do", f"--root={t.rootfs}", "/bin/sh", "-c", "echo ready; exec sleep 1000") as term:
            term.expect("ready")
            wait_for(term.raw, "raw")
            name = next(p.name for p in t.state.iterdir())
            s = t.state_file(name)
            if victim == "cli":
                os.kill(term.pid, signal.SIGKILL)
            elif victim == "term":
                os.kill(term.pid, signal.SIGTERM)
            else:
                os.kill(s[f"{victim}Pid"], signal.SIGKILL)
            status = term.wait()
            term.expect_restored()
            if victim == "cli":
                wait_for(lambda: not alive(s["sandboxPid"]) and not alive(s["goferPid"]), "sandbox and gofer gone")
                t.ok("delete", "--force", name)
            elif victim == "term":
                equal(status, 143, "status")
            else:
                check(status != 0, f"{victim} killed: status {status}")


def test_terminal_hangup(t):
    """The terminal goes away (its window is closed): the container's session hears of it and all ends."""
    term = Terminal(t.argv("do", f"--root={t.rootfs}", "/bin/sh", "-c", "echo ready; sleep 1000"))
    term.expect("ready")
    os.close(term.slave)
    os.close(term.master)
    end = time.monotonic() + TIMEOUT
    while not os.waitpid(term.pid, os.WNOHANG)[0]:
        if time.monotonic() > end:
            os.kill(term.pid, signal.SIGKILL)
            os.waitpid(term.pid, 0)
            raise Failure("runsc outlives its terminal")
        time.sleep(0.02)


def test_terminal_run(t):
    """process.terminal of a bundle."""
    b = t.bundle(["/bin/sh", "-c", "tty && stty size && read x && echo got $x && exit 4"],
                 lambda c: c["process"].update(terminal=True))
    with on_terminal(t, "run", "--bundle", str(b), t.new_id(), rows=20, columns=70) as term:
        term.expect("20 70\r\n")
        term.send("line\n")
        term.expect("line\r\ngot line\r\n")
        equal(term.wait(), 4, "status")
        term.expect_restored()


def test_terminal_output_in_pipe(t):
    """Standard input is a terminal, standard output is not: it stays as it is, and Ctrl-C comes as a signal."""
    master, slave = pty.openpty()
    p = subprocess.Popen(t.argv("do", f"--root={t.rootfs}", "/bin/sh", "-c", "test -t 0 && echo in; test -t 1 || echo out; head -n 1"),
                         stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    equal(read_until(p, "out\n"), "in\nout\n", "what each stream is")
    check(termios.tcgetattr(slave)[3] & termios.ICANON, "the terminal is raw")
    os.write(master, b"typed\n")
    out, err = p.communicate(timeout=TIMEOUT)
    equal((p.returncode, out, err), (0, b"typed\n", b""), "run")
    os.close(master)
    os.close(slave)


def receive_master(listener):
    conn = listener.accept()[0]
    with conn:
        fds = array.array("i")
        data, ancillary, _, _ = conn.recvmsg(1024, socket.CMSG_SPACE(fds.itemsize))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[:fds.itemsize])
    check(len(fds) == 1, f"no descriptor came with {data!r}")
    return fds[0]


def read_master(fd, pattern, seconds=TIMEOUT):
    got = ""
    end = time.monotonic() + seconds
    while not re.search(pattern, got):
        check(time.monotonic() < end, f"console: {pattern!r} is not in {got!r}")
        if select.select([fd], [], [], 0.05)[0]:
            got += os.read(fd, 4096).decode(errors="replace")
    return got


def resized_then(rest):
    """A script that says ready, prints its terminal's size when that changes, and goes on with the rest. Not both at once: a
    shell's read ends for a trap."""
    return ("trap 'echo win; stty size; seen=1' WINCH; echo ready; until [ \"$seen\" ]; do usleep 10000; done; trap - WINCH; "
            "echo reading; " + rest)


def resize_master(fd, rows, columns):
    read_master(fd, "ready\r\n")
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    read_master(fd, f"win\r\n{rows} {columns}\r\nreading\r\n")


def test_console_socket(t):
    path = str(t.tmp / "console.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(TIMEOUT)
    name = t.new_id()
    b = t.bundle(["/bin/sh", "-c", resized_then("while read x; do echo got $x; done; exit 6")],
                 lambda c: c["process"].update(terminal=True))
    p = t.popen("run", "--detach", "--bundle", b, "--console-socket", path, name)
    master = receive_master(listener)
    try:
        check(p.wait(timeout=TIMEOUT) == 0, f"run: {p.stderr.read()!r}")
        resize_master(master, 33, 111)
        os.write(master, b"hello\n")
        read_master(master, "hello\r\ngot hello\r\n")
        os.write(master, b"\x04")
        t.wait_status(name, "stopped")
        t.ok("delete", name)
    finally:
        os.close(master)
        listener.close()


def test_console_socket_errors(t):
    b = t.bundle(["/bin/true"], lambda c: c["process"].update(terminal=True))
    r = t.run("run", "--bundle", b, "--console-socket", t.tmp / "none", t.new_id())
    check(r.status == 128 and "--console-socket" in r.err and str(t.tmp / "none") in r.err, r)
    r = t.run("run", "--bundle", t.bundle(), "--console-socket", t.tmp / "none", t.new_id())
    check(r.status == 128 and "process.terminal" in r.err, r)
    r = t.run("run", "--detach", "--bundle", b, t.new_id())
    check(r.status == 128 and "--console-socket" in r.err, r)
