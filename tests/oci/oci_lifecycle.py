# SPDX-License-Identifier: Apache-2.0
"""Containers from start to end: statuses, streams, signals, run --detach, list, state, kill, delete, spec."""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

from harness import TIMEOUT, Failure, alive, await_answer, check, contains, describe, equal, finish, read_until, wait_for


def test_do_status(t):
    for n in (0, 1, 7, 127, 255):
        equal(t.sh(f"exit {n}").status, n, f"exit {n}")
    equal(t.do("/bin/true").status, 0, "true")
    equal(t.do("/bin/false").status, 1, "false")


def test_do_signal_status(t):
    for name in ("TERM", "KILL", "SEGV", "HUP", "USR1"):
        n = getattr(signal, f"SIG{name}")
        # Not by the shell itself, which is init in its container and may ignore its own signals.
        equal(t.sh(f"sh -c 'kill -{name} $$'; exit $?").status, 128 + n, f"SIG{name} of a child")
    equal(t.do("/bin/helper", "segv").status, 128 + signal.SIGSEGV, "init dies of a fault")


def test_do_streams(t):
    r = t.sh("echo out; echo err >&2; cat", stdin=b"in\n")
    equal((r.status, r.out, r.err), (0, "out\nin\n", "err\n"), "streams")


def test_do_large_pipes(t):
    data = os.urandom(3 << 20)
    p = t.popen("do", f"--root={t.rootfs}", "/bin/cat", stdin=subprocess.PIPE)
    out, err = p.communicate(data, timeout=TIMEOUT)
    equal((p.returncode, err), (0, b""), "cat")
    check(out == data, f"{len(out)} bytes came back of {len(data)}, or others")


def test_do_stdin_file(t):
    path = t.tmp / "in"
    path.write_text("a\nb\nc\n")
    with open(path) as f:
        r = finish(t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c", "read x; echo $x; cat", stdin=f))
    equal((r.status, r.out), (0, "a\nb\nc\n"), "a file as standard input")


def test_do_stdin_fifo_writers(t):
    """A reader that has seen one writer hang up sleeps until the next has something for it."""
    path = t.tmp / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    writer = os.open(path, os.O_WRONLY)
    get = "dd bs=1 count=1 2>/dev/null"
    # Until the next writer is there, each read is an end of file.
    p = t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c",
                f'{get}; echo; {get}; echo end; until [ "$x" ]; do sleep 0.1; x=$({get}); done; echo $x', stdin=reader)
    os.close(reader)
    os.write(writer, b"a")
    read_until(p, "a\n")
    time.sleep(0.3)
    os.close(writer)
    read_until(p, "end\n")
    writer = os.open(path, os.O_WRONLY)
    sandbox = t.state_file(next(p.name for p in t.state.iterdir()))["sandboxPid"]

    def asleep():
        before = cpu_seconds(sandbox)
        time.sleep(1)
        return cpu_seconds(sandbox) - before < 0.1
    wait_for(asleep, "asleep until there is something to read", 20)
    os.write(writer, b"b")
    r = finish(p)
    os.close(writer)
    contains(r.out, "b\n", "what the second writer wrote")


def cpu_seconds(pid):
    """What it has used, which does not count when it would have liked to run."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_do_stdout_file(t):
    path = t.tmp / "out"
    path.write_text("old\n")
    with open(path, "a") as f:
        r = finish(t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c", "echo a; echo b; (echo c)", stdout=f))
    equal((r.status, path.read_text()), (0, "old\na\nb\nc\n"), "appended output")


def test_do_closed_stdin(t):
    p = subprocess.Popen(["sh", "-c", 'exec "$@" <&- ', "sh"] + t.argv("do", f"--root={t.rootfs}", "/bin/echo", "x"),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    r = finish(p)
    equal((r.status, r.out), (0, "x\n"), "without standard input")


def test_do_reader_gone(t):
    """A writer whose reader ends gets SIGPIPE, as under Linux."""
    p = subprocess.run(["bash", "-c", '"$@" | head -n 1; exit ${PIPESTATUS[0]}', "sh"] +
                       t.argv("do", f"--root={t.rootfs}", "/bin/yes"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT)
    equal(p.stdout, b"y\n", "output")
    check(p.returncode in (1, 128 + signal.SIGPIPE), f"status {p.returncode}")


def test_do_overlay(t):
    r = t.sh("echo changed > /etc/passwd && mkdir /new && touch /new/file && rm /etc/group && cat /etc/passwd")
    equal((r.status, r.out), (0, "changed\n"), "writes in the sandbox")
    check("root:" in (t.rootfs / "etc/passwd").read_text(), "the host's file was changed")
    check(not (t.rootfs / "new").exists() and (t.rootfs / "etc/group").exists(), "the host's directory was changed")


def test_do_host_root(t):
    """Without --root: the machine's own, with its dynamically linked programs; ours is the kernel that answers."""
    r = t.ok("do", "/bin/sh", "-c", "uname -s; ls -d /usr; cat /proc/self/comm; id -u", cwd="/")
    equal(r.out, "Linux\n/usr\ncat\n0\n", "host root")
    r = t.ok("do", "pwd", cwd="/usr/lib")
    equal(r.out, "/usr/lib\n", "working directory")


def test_do_hides_states(t):
    """The directory of states is not to be seen from a sandbox over the host's root."""
    name = t.start()
    r = t.ok("do", "/bin/sh", "-c", f"ls -A {t.state}; echo x > {t.state}/y && cat {t.state}/y", cwd="/")
    equal(r.out, "x\n", "what shows of the states")
    check(not (t.state / "y").exists(), "written to the host")
    t.ok("delete", "--force", name)


def test_do_sentry_kernel(t):
    mine = t.sh("uname -a; dmesg | head -n 3; cat /proc/version").out
    check(os.uname().release not in mine, f"the host's kernel shows: {mine}")


def test_do_environment(t):
    env = {"PATH": "/bin", "HOME": "/h", "SECRET": "x", "TERM": "vt100"}
    r = t.do("/bin/env", env=env)
    lines = r.out.split()
    check("HOME=/h" in lines and "TERM=vt100" in lines and "PATH=/bin" in lines, r.out)
    check(not any(x.startswith("SECRET") for x in lines), "an unrelated variable was passed on")


def test_do_missing_program(t):
    r = t.do("/bin/nothing-there")
    equal(r.status, 128, "status")
    contains(r.err, "/bin/nothing-there", "message")
    equal(len(r.err.strip().splitlines()), 1, f"lines of {r.err!r}")


def test_do_sigint(t):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p = t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c",
                    "trap 'echo got; exit 33' INT TERM HUP; echo ready; while :; do sleep 0.05; done")
        read_until(p, "ready\n")
        p.send_signal(number)
        r = finish(p)
        equal((r.status, r.out), (33, "got\n"), f"signal {number}")


def test_do_sigterm_default(t):
    """A signal that the container's init does not handle ends it when it comes from outside."""
    p = t.popen("do", f"--root={t.rootfs}", "/bin/sh", "-c", "echo ready; exec sleep 100")
    read_until(p, "ready\n")
    p.send_signal(signal.SIGTERM)
    equal(finish(p).status, 128 + signal.SIGTERM, "status")


def test_run_bundle(t):
    r = t.run_bundle(["/bin/sh", "-c", "hostname; pwd; id -u; echo $HOME; cat; exit 5"], stdin=b"stdin\n")
    equal((r.status, r.out, r.err), (5, "box\n/\n0\n/root\nstdin\n", ""), "run")


def test_run_user(t):
    def change(c):
        c["process"]["user"] = {"uid": 1234, "gid": 55, "additionalGids": [7, 8], "umask": 0o77}
        c["process"]["cwd"] = "/tmp"
    r = t.run_bundle(["/bin/sh", "-c", "id -u; id -g; id -G; umask; touch f; stat -c %u:%g:%a f; pwd"], change)
    equal((r.status, r.out), (0, "1234\n55\n55 7 8\n0077\n1234:55:600\n/tmp\n"), r.err)


def test_run_capabilities(t):
    r = t.run_bundle(["/bin/grep", "Cap", "/proc/self/status"],
                     lambda c: c["process"].update(capabilities={k: ["CAP_KILL", "CAP_CHOWN"] for k in
                                                                 ("bounding", "effective", "permitted")}))
    values = dict(re.findall(r"(Cap\w+):\s+(\w+)", r.out))
    equal({k: int(v, 16) for k, v in values.items()}, {"CapInh": 0, "CapPrm": 0x21, "CapEff": 0x21, "CapBnd": 0x21, "CapAmb": 0},
          "capabilities")


def test_run_rlimits(t):
    r = t.run_bundle(["/bin/sh", "-c", "ulimit -n; ulimit -Hn"],
                     lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 200}]))
    equal(r.out, "99\n200\n", "limits")


def test_run_mounts(t):
    (t.tmp / "rw").mkdir()
    (t.tmp / "ro").mkdir()
    (t.tmp / "ro/f").write_text("read me\n")
    (t.tmp / "file").write_text("one file\n")

    def change(c):
        c["mounts"] += [{"destination": "/mnt/rw", "type": "bind", "source": str(t.tmp / "rw"), "options": ["rbind", "rw"]},
                        {"destination": "/mnt/ro", "type": "bind", "source": str(t.tmp / "ro"), "options": ["bind", "ro"]},
                        {"destination": "/etc/passwd", "type": "bind", "source": str(t.tmp / "file"), "options": ["bind"]},
                        {"destination": "/run", "type": "tmpfs", "source": "x", "options": ["size=64k", "mode=700"]}]
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    for d in ("rw", "ro"):
        (rootfs / "mnt" / d).mkdir()
    r = t.run_bundle(["/bin/sh", "-c", "echo new > /mnt/rw/x; cat /mnt/ro/f; echo y > /mnt/ro/x; cat /etc/passwd; "
                      "echo more >> /etc/passwd; stat -c %a /run; dd if=/dev/zero of=/run/big bs=1k count=100 2>/dev/null; "
                      "stat -c %s /run/big"], change, rootfs=rootfs)
    equal(r.out, "read me\none file\n700\n65536\n", r.err)
    contains(r.err, "Read-only file system", "writing to a read-only mount")
    equal((t.tmp / "rw/x").read_text(), "new\n", "the file on the host")
    equal((t.tmp / "file").read_text(), "one file\nmore\n", "the bound file on the host")
    check(not (t.tmp / "ro/x").exists(), "the read-only directory was changed")


def test_run_readonly_root(t):
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    r = t.run_bundle(["/bin/sh", "-c", "touch /x"], lambda c: c["root"].update(readonly=True), rootfs=rootfs)
    check(r.status != 0 and "Read-only" in r.err and not (rootfs / "x").exists(), r)
    r = t.run_bundle(["/bin/sh", "-c", "echo data > /x; mkdir /d; mv /x /d/y; ln -s y /d/l; cat /d/l"], rootfs=rootfs)
    equal((r.status, r.out, (rootfs / "d/y").read_text()), (0, "data\n", "data\n"), r.err)
    r = t.run_bundle(["/bin/sh", "-c", "rm -r /d; touch /z; cat /z"], rootfs=rootfs, flags=["--overlay2=root:memory"])
    check(r.status == 0 and (rootfs / "d/y").exists() and not (rootfs / "z").exists(), r)


def test_run_no_directfs(t):
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    script = ("set -e; cd /root; echo hello > a; cat a; mkdir d; mv a d/b; ln d/b d/c; ln -s d/c s; cat s; ls d; chmod 640 d/b; "
              "stat -c %a:%h d/b; rm d/b; seq 1 2000 | sort -n | tail -n 1 >> d/c; cat d/c; rm -r d s; ls | wc -l")
    r = t.run_bundle(["/bin/sh", "-c", script], rootfs=rootfs, flags=["--directfs=false"])
    equal((r.status, r.out), (0, "hello\nhello\nb\nc\n640:2\nhello\n2000\n0\n"), r.err)
    r = t.run("do", f"--root={t.rootfs}", "/bin/sh", "-c", "echo x > /etc/x; cat /etc/x; ls -l /bin | wc -l",
              flags=["--directfs=false"])
    check(r.status == 0 and r.out.startswith("x\n"), r)


def test_run_shared_files(t):
    """--file-access=shared sees what others do to the files meanwhile."""
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    p = t.popen("run", "--bundle", t.bundle(["/bin/sh", "-c", "while [ ! -e /mnt/go ]; do sleep 0.05; done; cat /mnt/go"],
                                            rootfs=rootfs), t.new_id(), flags=["--file-access=shared"])
    time.sleep(0.5)
    (rootfs / "mnt/tmp").write_text("from outside\n")
    os.rename(rootfs / "mnt/tmp", rootfs / "mnt/go")
    equal(finish(p).out, "from outside\n", "a file made by another process")


def test_run_terminal_needs_terminal(t):
    r = t.run_bundle(["/bin/true"], lambda c: c["process"].update(terminal=True))
    equal(r.status, 128, "status")
    contains(r.err, "process.terminal", "message")


def test_detach(t):
    name = t.start(["/bin/sh", "-c", "echo started; exec sleep 1000"])
    pid = int((t.tmp / f"{name}.pid").read_text())
    check(alive(pid), "the pid file names no process")
    state = json.loads(t.ok("state", name).out)
    equal((state["id"], state["status"], state["pid"], state["ociVersion"]), (name, "running", pid, "1.0.2"), "state")
    check(state["bundle"].startswith(str(t.tmp)), "state: bundle")
    wait_for(lambda: "started\n" in t.output(name), "output of the container")
    equal(t.ok("list", "-q").out, f"{name}\n", "list -q")
    row = t.ok("list").out.splitlines()[1].split()
    equal(row[:3], [name, str(pid), "running"], "list")
    entry = json.loads(t.ok("list", "--format=json").out)[0]
    equal((entry["id"], entry["pid"], entry["status"]), (name, pid, "running"), "list --format=json")
    r = t.run("delete", name)
    check(r.status == 128 and "running" in r.err, r)
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    check(not alive(pid), "the sandbox lives on")
    t.ok("delete", name)
    r = t.run("state", name)
    check(r.status == 128 and "does not exist" in r.err, r)


def test_detach_ends_by_itself(t):
    name = t.start(["/bin/sh", "-c", "sleep 0.3; echo done"])
    t.wait_status(name, "stopped")
    equal(t.output(name), "done\n", "output")
    t.ok("delete", name)


def test_kill_signals(t):
    name = t.start(["/bin/sh", "-c", "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo rt' 40; echo ready; "
                    "while :; do sleep 0.02; done"])
    wait_for(lambda: "ready\n" in t.output(name), "ready")
    for sig, text in (("USR1", "usr1\n"), ("SIGHUP", "hup\n"), ("10", "usr1\n"), ("usr1", "usr1\n"), ("40", "rt\n"),
                      ("RTMIN+6", "rt\n")):
        before = t.output(name).count(text)
        t.ok("kill", name, sig)
        wait_for(lambda: t.output(name).count(text) == before + 1, f"signal {sig} handled")
    for bad in ("NOSUCH", "0", "65", "-1", ""):
        r = t.run("kill", "--", name, bad)
        check(r.status == 128 and "kill" in r.err, f"{bad!r}: {r}")
    t.ok("kill", name)  # SIGTERM, which init does not handle: Linux does not end the first process of a pid namespace by it
    t.ok("kill", name, "USR2")
    t.ok("kill", name, "USR1")
    wait_for(lambda: t.output(name).count("usr1\n") == 4, "a signal after those that are not handled")
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    r = t.run("kill", name, "TERM")
    check(r.status == 128 and "not running" in r.err, r)
    t.ok("delete", name)


def test_kill_too_late(t):
    """The container ends before it hears of the signal: engines look for "container not running"."""
    for flags in ((), ("--all",)):
        name = t.start()
        sandbox = t.state_file(name)["sandboxPid"]
        os.kill(sandbox, signal.SIGSTOP)
        p = t.popen("kill", *flags, name, "TERM")
        await_answer(p)
        os.kill(sandbox, signal.SIGKILL)
        r = finish(p)
        if flags:
            equal(r.status, 0, f"all of none ({r.err})")
        else:
            check(r.status == 128 and "container not running" in r.err, r)
        t.ok("delete", name)


def test_kill_all(t):
    name = t.start(["/bin/sh", "-c", "trap '' TERM; sleep 1000 & sleep 1001 & echo ready; while :; do wait; sleep 0.1; done"])
    wait_for(lambda: "ready\n" in t.output(name), "ready")
    t.ok("kill", "--all", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)


def test_delete_force(t):
    name = t.start()
    t.ok("delete", "--force", name)
    t.expect_clean()
    t.ok("delete", "--force", name)  # there is none
    r = t.run("delete", name)
    check(r.status == 128 and "does not exist" in r.err, r)
    a, b = t.start(), t.start()
    t.ok("delete", "--force", a, b)


def test_delete_damaged_state(t):
    name = t.start(flags=["--ignore-cgroups"])  # their paths would be lost
    pid = t.state_file(name)["sandboxPid"]
    (t.state / name / "state.json").write_text("{ not JSON")
    r = t.run("state", name)
    check(r.status == 128 and "state.json" in r.err, r)
    t.ok("list")
    t.ok("delete", "--force", name)
    wait_for(lambda: not alive(pid), "the sandbox gone")


def test_same_id_twice(t):
    name = t.start()
    r = t.run("run", "--bundle", t.bundle(), name)
    check(r.status == 128 and "exists already" in r.err, r)
    equal(t.status_of(name), "running", "the first one")
    t.ok("delete", "--force", name)


def test_spec(t):
    d = t.tmp / "spec"
    d.mkdir()
    t.ok("spec", "--bundle", d)
    config = json.loads((d / "config.json").read_text())
    equal(config["process"]["args"], ["sh"], "args")
    r = t.run("spec", "--bundle", d)
    check(r.status == 128 and "exists" in r.err, r)
    (d / "config.json").unlink()
    t.ok("spec", "--bundle", d, "--cwd", "/tmp", "--", "/bin/sh", "-c", "pwd; echo ok")
    config = json.loads((d / "config.json").read_text())
    config["process"]["terminal"] = False
    (d / "config.json").write_text(json.dumps(config))
    os.symlink(t.rootfs, d / "rootfs")
    r = t.run("run", "--bundle", d, t.new_id())
    equal((r.status, r.out), (0, "/tmp\nok\n"), r.err)


def test_spec_rootless(t):
    d = t.tmp / "spec"
    d.mkdir()
    t.ok("spec", "--rootless", "--bundle", d)
    config = json.loads((d / "config.json").read_text())
    types = [n["type"] for n in config["linux"]["namespaces"]]
    check("user" in types and "network" not in types, types)
    equal(config["linux"]["uidMappings"], [{"containerID": 0, "hostID": os.geteuid(), "size": 1}], "uidMappings")


def test_flag_override(t):
    """Annotations set flags where that is permitted, and only some."""
    def flag(name, value):
        return lambda c: (c.update(annotations={f"dev.gvisor.flag.{name}": value}), c["root"].update(readonly=False))
    r = t.run_bundle(["/bin/sh", "-c", "echo x > /new && ls /new"], flag("overlay2", "root:memory"), flags=["--allow-flag-override"])
    equal((r.status, r.out), (0, "/new\n"), r.err)
    r = t.run_bundle(["/bin/true"], flag("overlay2", "root:memory"))
    check(r.status == 128 and "--allow-flag-override" in r.err, r)
    for name, value in (("root", "/x"), ("debug-log", "/x"), ("allow-flag-override", "true"), ("nonsense", "1"), ("cpus", "many"), ("v", "1")):
        r = t.run_bundle(["/bin/true"], flag(name, value), flags=["--allow-flag-override"])
        check(r.status == 128 and name in r.err, r)


def test_run_rlimits_inherited(t):
    """Limits that config.json does not give are those of runsc."""
    p = subprocess.run(["sh", "-c", 'ulimit -n 777; ulimit -c 0; exec "$@"', "sh"] + t.argv("run", "--bundle", t.bundle(["/bin/sh", "-c", "ulimit -n; ulimit -c"]), t.new_id()),
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT)
    equal((p.returncode, p.stdout), (0, b"777\n0\n"), "limits")


def test_help(t):
    check(re.match(r"runsc version \S+\ncommit: \S+\nspec: 1\.\d\.\d\n", t.ok("--version").out), "--version as engines parse it")
    features = json.loads(t.ok("features").out)
    check(features["ociVersionMax"].startswith("1.2") and "poststop" in features["hooks"] and "rbind" in features["mountOptions"], features)
    t.ok("list", flags=["--rootless=auto", "--criu=/usr/sbin/criu", "--systemd-cgroup"])
    for command in ("run", "do", "spec", "list", "state", "kill", "delete", "syscalls"):
        contains(t.ok(command, "--help").out, f"Usage: runsc [global flags] {command}", f"{command} --help")
    rows = t.ok("syscalls").out
    check("openat" in rows and "FULL" in rows.upper(), "syscalls")
    for bad in (["nonsense"], ["run"], ["run", "--no-such-flag", "x"], ["state"], ["do"]):
        r = t.run(*bad)
        equal(r.status, 128, " ".join(bad))
        equal(len(r.err.strip().splitlines()), 1, f"lines of {r.err!r}")


def test_json_log(t):
    log = t.tmp / "log"
    r = t.run("state", "none", flags=[f"--log={log}", "--log-format=json"])
    equal(r.status, 128, "status")
    last = json.loads(log.read_text().splitlines()[-1])
    check("does not exist" in last["msg"] and last["level"] == "error", last)


def test_debug_log(t):
    d = t.tmp / "logs"
    d.mkdir()
    t.ok("do", f"--root={t.rootfs}", "/bin/true", flags=["--debug", "--strace", f"--debug-log={d}/"])
    text = "".join(p.read_text(errors="replace") for p in d.iterdir())
    check("execve" in text or "exit_group" in text, f"no system calls in {[p.name for p in d.iterdir()]}")


def test_platform_message(t):
    """Who may not open /dev/kvm: auto goes on without it and says so, kvm is told what to do."""
    if not os.path.exists("/dev/kvm") or t.platform != "kvm":
        return
    hidden = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$0" && shift 0 && exec "$@"', "/dev/kvm"]

    def with_kvm_hidden(platform):
        argv = hidden + [t.runsc, f"--root={t.state}", f"--platform={platform}", "do", f"--root={t.rootfs}", "/bin/echo", "x"]
        return finish(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    r = with_kvm_hidden("kvm")
    equal((r.status, r.out), (128, ""), "kvm without KVM")
    contains(r.err, "--platform=kvm", "remedy")
    contains(r.err, "--platform=ptrace", "remedy")
    r = with_kvm_hidden("auto")
    equal((r.status, r.out), (0, "x\n"), r.err)
    contains(r.err, "using ptrace", "the fallback is told")
    equal(len(r.err.strip().splitlines()), 1, f"lines of {r.err!r}")
    # Not permitted, as an ordinary user would see it. Opened before: that user may not get to where it lies.
    as_nobody = "import os, sys; runsc = os.open(sys.argv[1], os.O_RDONLY); os.setgroups([]); os.setgid(65534); os.setuid(65534); " \
                "os.execve(runsc, sys.argv[1:], os.environ)"
    r = finish(subprocess.Popen([sys.executable, "-c", as_nobody, t.runsc, f"--root={t.tmp}/nobody", "--platform=kvm", "do", f"--root={t.rootfs}",
                                 "/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    equal(r.status, 128, "kvm without permission")
    contains(r.err, "group kvm", "remedy")


def test_fifty_at_once(t):
    """Fifty sandboxes at once, all answering."""
    n = 50
    names = [t.new_id() for _ in range(n)]
    bundle = t.bundle(["/bin/sh", "-c", "trap 'echo answer > /mnt/$ID.tmp; exit 0' USR1; echo ready; while :; do sleep 0.3; done"])
    procs = [(name, t.popen("run", "--detach", "--bundle", bundle, name, stdout=open(t.tmp / f"{name}.out", "wb"),
                            stderr=subprocess.STDOUT)) for name in names]
    for name, p in procs:
        check(p.wait(timeout=TIMEOUT) == 0, f"{name}: status {p.returncode}: {t.output(name)}")
    for name in names:
        wait_for(lambda: "ready\n" in t.output(name), f"{name} ready")
    equal(sorted(t.ok("list", "-q", timeout=TIMEOUT).out.split()), sorted(names), "list")
    for name in names:
        t.ok("kill", name, "USR1", timeout=TIMEOUT)
    for name in names:
        t.wait_status(name, "stopped")
    t.ok("delete", *names, timeout=TIMEOUT)


def pss(pid):
    """0: there is no such process any more."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M)[1])
    return 0


def test_idle_memory(t):
    """An idle sandbox takes at most 8 MiB over all its processes, its runsc included."""
    name = t.new_id()
    p = t.popen("run", "--bundle", t.bundle(["/bin/sh", "-c", "echo ready; exec sleep 1000"]), name)
    read_until(p, "ready\n")
    s = t.state_file(name)
    time.sleep(1)

    def used():
        with open(f"/proc/{s['sandboxPid']}/task/{s['sandboxPid']}/children") as f:
            pids = [p.pid, s["sandboxPid"], s["goferPid"]] + [int(c) for c in f.read().split()]
        return [(describe(q), pss(q)) for q in pids]
    with contextlib.suppress(Failure):
        wait_for(lambda: sum(n for _, n in used()) <= 8192, "idle", 10)
    last = used()
    check(sum(n for _, n in last) <= 8192, f"KiB PSS: {last}")
    t.ok("kill", name, "KILL")
    equal(finish(p).status, 128 + signal.SIGKILL, "status")
