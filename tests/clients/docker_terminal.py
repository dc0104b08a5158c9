# SPDX-License-Identifier: Apache-2.0
"""Terminals through the engine: a shell with job control, vi, top, less, sizes, detaching and coming back."""
import time

from engine import PROMPT
from harness import TIMEOUT, check, equal, wait_for

BASH = ["bash", "--norc", "--noprofile"]


def shell(t, *opts, rows=24, columns=80):
    term = t.terminal("run", "-it", "--rm", "--name", t.new_name(), *t.common(), "-e", "PS1=$> ", *opts, "debian", *BASH,
                      rows=rows, columns=columns)
    term.expect(PROMPT)
    term.send("bind 'set enable-bracketed-paste off'\n")
    term.expect(PROMPT)
    return term


def leave(term, status=0):
    term.send(f"exit {status}\n")
    equal(term.wait(), status, "status of the client")


def test_tty(t):
    term = shell(t)
    term.wait_size(24, 80)
    term.send("tty; test -t 0 -a -t 1 -a -t 2 && echo ter''minal; echo $TERM\n")
    term.expect(r"/dev/(pts/0|console)\r\nterminal\r\nxterm\r\n\$> $")
    leave(term, 3)


def test_resize(t):
    term = shell(t)
    term.wait_size(24, 80)
    term.send("trap 'echo win''ch' WINCH\n")
    term.expect(PROMPT)
    end = time.monotonic() + TIMEOUT
    while "winch\r\n" not in term.seen:
        check(time.monotonic() < end, f"the trap of SIGWINCH did not run: {term.seen!r}")
        term.move(40, 100)
        term.read(0.2)
        term.send("\n")  # readline runs the trap with the next line
    term.send("trap - WINCH\n")
    term.wait_size(40, 100)
    leave(term)


def in_foreground(t, program):
    """Until the program runs in the foreground of the last container's terminal, as ps sees it."""
    def there():
        return "+" in t.client("exec", f"{t.prefix}-{t.count}", "ps", "-C", program, "-o", "stat=").out
    wait_for(there, f"{program} in the foreground")


def test_job_control(t):
    term = shell(t)
    term.send("sleep 1000\n")
    in_foreground(t, "sleep")
    term.send("\x1a")
    term.expect(r"Stopped +sleep 1000")
    term.expect(PROMPT)
    term.send("bg\n")
    term.expect(r"sleep 1000 &\r\n")
    term.expect(PROMPT)
    term.send("jobs\n")
    term.expect(r"Running +sleep 1000")
    term.expect(PROMPT)
    term.send("fg\n")
    term.expect(r"sleep 1000\r\n")
    in_foreground(t, "sleep")
    term.send("\x03")
    term.expect(PROMPT)
    term.send("echo status $?\n")
    term.expect(r"status 130\r\n")
    term.expect(PROMPT)
    term.send("cat\n")
    in_foreground(t, "cat")
    term.send("line\n\x04")
    term.expect(r"line\r\nline\r\n")
    term.expect(PROMPT)
    leave(term)


def test_vi(t):
    term = shell(t)
    term.wait_size(24, 80)
    term.send("vi /tmp/f\n")
    term.expect(r"~")
    term.send("ihello from vi")
    term.expect(r"hello from vi")
    term.send("\x1b:wq\r")
    term.expect(r"written")
    term.expect(PROMPT)
    term.send("cat /tmp/f\n")
    term.expect(r"hello from vi\r\n\$> $")
    leave(term)


def test_top(t):
    term = shell(t)
    term.wait_size(24, 80)
    term.send("top\n")
    term.expect(r"PID")
    term.expect(r"bash")
    term.send("q")
    term.expect(PROMPT)
    leave(term)


def test_less(t):
    term = shell(t)
    term.wait_size(24, 80)
    term.send("seq 1 500 | less\n")
    term.expect(r"23\r\n")
    term.send("G")
    term.expect(r"500\r?\n")
    term.send("g")
    term.expect(r"1\r?\n")
    term.send("/3[5]1\r")
    term.expect("351")
    term.send("q")
    term.expect(PROMPT)
    leave(term)


def test_exec_terminal(t):
    name = t.start("sleep", "1000", image="debian")
    term = t.terminal("exec", "-it", "-e", "PS1=$> ", name, *BASH, rows=30, columns=90)
    term.expect(PROMPT)
    term.send("tty\n")
    term.expect(r"/dev/(pts/\d+|console)\r\n")
    term.expect(PROMPT)
    term.resize(31, 91)
    term.wait_size(31, 91)
    term.interrupt()
    leave(term, 4)
    equal(t.inspect(name, "State.Status"), "running", "the container")


def test_detach(t):
    name = t.new_name()
    term = t.terminal("run", "-it", "--name", name, *t.common(), "-e", "PS1=$> ", "debian", *BASH)
    term.expect(PROMPT)
    term.send("A=kept\n")
    term.expect(PROMPT)
    term.send("\x10\x11")
    equal(term.wait(), 0, "status of the client that detaches")
    equal(t.inspect(name, "State.Status"), "running", "the container")
    again = t.terminal("attach", name)
    again.send("echo still $A\n")
    again.expect(r"still kept\r\n")
    again.send("exit 5\n")
    equal(again.wait(), 5, "status of the client that came back")


def test_hangup(t):
    """The client dies; the container goes on, as with runc."""
    name = t.new_name()
    term = t.terminal("run", "-it", "--name", name, *t.common(), "-e", "PS1=$> ", "debian", *BASH)
    term.expect(PROMPT)
    term.close()
    t.terminals.remove(term)
    equal(t.inspect(name, "State.Status"), "running", "the container")
    check(t.out("exec", name, "echo", "hi") == "hi", "it answers")
