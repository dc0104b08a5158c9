# SPDX-License-Identifier: Apache-2.0
"""What the tests of runsc's commands share: a root file system, bundles, running runsc under a time limit, and the check
that nothing stays behind.

A test is a function `test_NAME(t)` with a Sandbox helper `t`; it fails by an exception. The harness makes itself the
subreaper of everything that runsc starts, so what outlives its test is a child of ours and is found."""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
POLL = 7  # its number, on x86-64
TIMEOUT = 120  # seconds for whatever is waited for: only what hangs takes so long, however busy the machine is
CGROUPS = pathlib.Path("/sys/fs/cgroup")
APPLETS = ["sh", "ls", "cat", "echo", "sleep", "true", "false", "kill", "ps", "seq", "sort", "head", "tail", "dd", "mkdir",
           "rm", "mv", "stat", "id", "env", "pwd", "hostname", "mount", "readlink", "touch", "ln", "chmod", "grep", "wc", "test", "yes",
           "dmesg", "uname", "df", "free", "tr", "stty", "tty", "sync", "sed", "usleep", "printf", "find", "umount", "xargs", "rmdir"]


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, expected {want!r}")


def contains(text, part, what):
    check(part in text, f"{what}: {part!r} is not in {text!r}")


class Result:
    def __init__(self, argv, status, out, err, seconds):
        self.argv, self.status, self.out, self.err, self.seconds = argv, status, out, err, seconds

    def __repr__(self):
        return f"status {self.status}\n  stdout: {self.out[-1500:]!r}\n  stderr: {self.err[-1500:]!r}"


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER)")


def children():
    out = []
    for tid in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended has none
            with open(f"/proc/self/task/{tid}/children") as f:
                out += [int(p) for p in f.read().split()]
    return out


def alive(pid):
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def stop(pid):
    """SIGSTOP, which has come into effect: until then it may still do something."""
    def stopped():
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/task/{tid}/stat") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
                if rest.split()[0] != "T" and not name.startswith("kvm-"):  # workers of the host kernel's
                    return False
        return True
    os.kill(pid, signal.SIGSTOP)
    wait_for(stopped, f"{describe(pid)} stopped")


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f"{pid} ({f.read().replace(bytes(1), b' ').decode(errors='replace').strip()})"
    except OSError:
        return str(pid)


def wait_for(condition, what, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while True:
        r = condition()
        if r:
            return r
        if time.monotonic() > end:
            raise Failure(f"after {seconds} s: not yet {what}")
        time.sleep(0.01)


def mounts(below):
    """Mount points below a directory: others' may come and go."""
    with open("/proc/self/mountinfo") as f:
        return sorted(m for m in (line.split(" ", 5)[4] for line in f) if m.startswith(str(below)))


def make_rootfs(directory, helper):
    """A root file system of one static busybox and the tests' own static helper."""
    for d in ["bin", "dev", "proc", "sys", "tmp", "etc", "root", "mnt", "run", "usr/bin"]:
        (directory / d).mkdir(parents=True)
    busybox = shutil.which("busybox")
    if not busybox:
        raise SystemExit("tests/oci: no busybox (package busybox-static)")
    shutil.copy2(busybox, directory / "bin/busybox")
    for a in APPLETS:
        (directory / "bin" / a).symlink_to("busybox")
    shutil.copy2(helper, directory / "bin/helper")
    for program in ("host_files", "escape"):
        shutil.copy2(helper.parent / program, directory / "bin" / program)
    (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    (directory / "etc/group").write_text("root:x:0:\n")
    os.chmod(directory / "tmp", 0o1777)


def default_config(args):
    caps = [f"CAP_{c}" for c in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
                                 "MKNOD", "SYS_CHROOT", "NET_BIND_SERVICE", "AUDIT_WRITE", "SETFCAP")]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
                    "env": ["PATH=/bin:/usr/bin", "HOME=/root"], "noNewPrivileges": False,
                    "capabilities": {"bounding": caps, "effective": caps, "permitted": caps}},
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "box",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                   {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["gid=5"]},
                   {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["mode=1777"]},
                   {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]}],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
    }


class Sandbox:
    """What a test sees: one platform, a directory of its own, a state directory of its own."""

    def __init__(self, runsc, platform, rootfs, scratch, prefix):
        self.runsc, self.platform, self.rootfs, self.prefix = str(runsc), platform, rootfs, prefix
        self.tmp = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.state = self.tmp / "state"
        self.flags = [f"--root={self.state}", f"--platform={platform}"]
        self.count = 0
        self.scratch = scratch

    def new_id(self):
        self.count += 1
        return f"{self.prefix}-{self.count}"

    def argv(self, *args, flags=()):
        return [self.runsc, *self.flags, *flags, *[str(a) for a in args]]

    def run(self, *args, flags=(), stdin=b"", timeout=TIMEOUT, env=None, cwd=None):
        """Runs runsc to its end; status is as a shell shows it."""
        argv = self.argv(*args, flags=flags)
        start = time.monotonic()
        p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd,
                             start_new_session=True)
        try:
            out, err = p.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate(timeout=10)
            raise Failure(f"timeout after {timeout} s: {' '.join(argv)}\n  stdout: {out[-800:]!r}\n  stderr: {err[-800:]!r}")
        status = p.returncode if p.returncode >= 0 else 128 - p.returncode
        return Result(argv, status, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - start)

    def ok(self, *args, **kw):
        r = self.run(*args, **kw)
        check(r.status == 0, f"{' '.join(r.argv[3:])}: {r}")
        return r

    def popen(self, *args, flags=(), **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.argv(*args, flags=flags), start_new_session=True, **kw)

    def do(self, *command, **kw):
        """runsc do over the tests' own root file system."""
        return self.run("do", f"--root={self.rootfs}", *command, **kw)

    def sh(self, script, **kw):
        return self.do("/bin/sh", "-c", script, **kw)

    def bundle(self, args=("/bin/true",), change=None, rootfs=None):
        """A bundle directory; change(config) edits what default_config gives."""
        b = pathlib.Path(tempfile.mkdtemp(dir=self.tmp))
        config = default_config(list(args))
        config["root"]["path"] = str(rootfs or self.rootfs)
        config["root"]["readonly"] = rootfs is None
        if change:
            change(config)
        (b / "config.json").write_text(json.dumps(config))
        return b

    def run_bundle(self, args=("/bin/true",), change=None, flags=(), rootfs=None, **kw):
        return self.run("run", "--bundle", self.bundle(args, change, rootfs), self.new_id(), flags=flags, **kw)

    def start(self, args=("/bin/sleep", "1000"), change=None, flags=(), rootfs=None):
        """A detached container; its id. Output goes to files in self.tmp."""
        name = self.new_id()
        out = open(self.tmp / f"{name}.out", "wb")
        b = self.bundle(args, change, rootfs)
        p = subprocess.run(self.argv("run", "--detach", "--bundle", b, "--pid-file", self.tmp / f"{name}.pid", name, flags=flags),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT, start_new_session=True)
        out.close()
        check(p.returncode == 0, f"run --detach: status {p.returncode}: {self.output(name)!r}")
        return name

    def output(self, name):
        return (self.tmp / f"{name}.out").read_text(errors="replace")

    def status_of(self, name):
        r = self.run("state", name)
        return json.loads(r.out)["status"] if r.status == 0 else None

    def state_file(self, name):
        """What is on record of a container, as soon as its processes are: its program may run a moment before."""
        def recorded():
            path = self.state / name / "state.json"
            state = json.loads(path.read_text()) if path.exists() else {"sandboxPid": 0}
            return state if state["sandboxPid"] else None
        return wait_for(recorded, f"{name} on record")

    def wait_status(self, name, want, seconds=TIMEOUT):
        wait_for(lambda: self.status_of(name) == want, f"container {name} {want} (it is {self.status_of(name)})", seconds)

    def cgroups(self):
        """Directories named by this test's ids; os.walk does not mind that others' come and go."""
        return [pathlib.Path(d) / name for d, names, _ in os.walk(CGROUPS) for name in names if name.startswith(f"{self.prefix}-")]

    def leftovers(self):
        """What outlives its owners: processes, mounts, cgroups, states."""
        left = []
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left += [f"process {describe(p)}" for p in children() if alive(p)]
        left += [f"mount {m}" for m in mounts(self.scratch)]
        left += [f"cgroup {c}" for c in self.cgroups()]
        if self.state.exists():
            left += [f"state {p.name}" for p in self.state.iterdir()]
        return left

    def expect_clean(self, seconds=TIMEOUT):
        left = self.settled(self.leftovers, seconds)
        check(not left, "left behind: " + "; ".join(left))

    @staticmethod
    def settled(what_is_left, seconds):
        """Asks until nothing is left, or the time is over; what is left then."""
        end = time.monotonic() + seconds
        left = what_is_left()
        while left and time.monotonic() < end:
            time.sleep(0.05)
            left = what_is_left()
        return left

    def cleanup(self):
        """By force, so that a failed test does not disturb the next one."""
        if self.state.exists():
            for p in list(self.state.iterdir()):
                with contextlib.suppress(Failure):
                    self.run("delete", "--force", p.name)
        self.settled(self.kill_children, 10)
        self.settled(self.remove_cgroups, 10)
        for m in reversed(mounts(self.scratch)):
            subprocess.run(["umount", "-l", m], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.tmp, ignore_errors=True)

    @staticmethod
    def kill_children():
        """Those who are left: the children of the killed become ours."""
        for p in children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        return children()

    def remove_cgroups(self):
        """Those who are left: a process leaves its cgroup a moment after its end."""
        for top in self.cgroups():
            for d, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(d)
        return self.cgroups()


def finish(p, timeout=TIMEOUT):
    """Result of a popen."""
    start = time.monotonic()
    try:
        out, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate(timeout=10)
        raise Failure(f"timeout after {timeout} s: {' '.join(p.args)}\n  stdout: {out!r}\n  stderr: {err!r}")
    status = p.returncode if p.returncode >= 0 else 128 - p.returncode
    return Result(p.args, status, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace"),
                  time.monotonic() - start)


def read_until(p, text, seconds=TIMEOUT):
    """Reads p's standard output until text has come; what was read."""
    fd = p.stdout.fileno()
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
    got = b""
    end = time.monotonic() + seconds
    while text.encode() not in got:
        if time.monotonic() > end:
            raise Failure(f"after {seconds} s: {text!r} not in {got!r}")
        try:
            b = os.read(fd, 65536)
            if not b:
                raise Failure(f"end of output, {text!r} not in {got!r}; stderr: {p.stderr.read() if p.stderr else ''!r}")
            got += b
        except BlockingIOError:
            time.sleep(0.005)
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    return got.decode(errors="replace")


def await_answer(p):
    """Until a runsc has sent its request, and sleeps in poll(2) for the answer."""
    def asleep():
        check(p.poll() is None, "it ended before it waited")
        with open(f"/proc/{p.pid}/syscall") as f:
            return f.read().split()[0] == str(POLL)
    wait_for(asleep, "waiting for the sandbox's answer")


def create(t, args, change=None, rootfs=None, **kw):
    """A created container; its id. Output goes to a file in t.tmp."""
    name = t.new_id()
    with open(t.tmp / f"{name}.out", "wb") as out:
        p = subprocess.run(t.argv("create", "--bundle", t.bundle(args, change, rootfs), "--pid-file", t.tmp / f"{name}.pid", name, **kw),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT, start_new_session=True)
    check(p.returncode == 0, f"create: status {p.returncode}: {t.output(name)!r}")
    return name, int((t.tmp / f"{name}.pid").read_text())


def reap(pid, seconds=TIMEOUT):
    """The exit status of a container whose sandbox has become our child, as engines' shims see it."""
    status = wait_for(lambda: [s for p, s in [os.waitpid(pid, os.WNOHANG)] if p], f"the end of process {pid}", seconds)[0]
    return os.waitstatus_to_exitcode(status)
