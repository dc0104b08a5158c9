# SPDX-License-Identifier: Apache-2.0
"""What live processes of a sandbox are left with: capabilities, namespaces, root, descriptors, system calls."""
import contextlib
import ctypes
import os
import pathlib
import re
import struct
import subprocess

from harness import TIMEOUT, Skip, check, contains, equal, wait_for

HERE = pathlib.Path(__file__).resolve().parent
FILE_CAPS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4}
GOFER_CAPS = FILE_CAPS | {"DAC_READ_SEARCH": 2, "MKNOD": 27, "SETFCAP": 31}
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = 16, 17, 0x420c
AUDIT_ARCH_X86_64, ALLOW, CALLS_END = 0xc000003e, 0x7fff0000, 470
# execve, fork and the like, open, socket, ptrace, mount, process_vm_*, setns, unshare, bpf, io_uring, userfaultfd, kexec
NEVER = {59, 322, 57, 58, 435, 2, 85, 41, 53, 101, 165, 166, 155, 310, 311, 308, 272, 321, 425, 323, 246, 175, 313}
PTRACE_CALL = 101
RECVMSG = 47

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def caps(wanted):
    return f"{sum(1 << n for n in wanted.values()):016x}"


def filter_of(pid):
    """The process's only seccomp filter, as (code, jt, jf, k) tuples."""
    if libc.ptrace(PTRACE_ATTACH, pid, None, None):
        raise OSError(ctypes.get_errno(), "PTRACE_ATTACH")
    try:
        os.waitpid(pid, 0x40000000)  # __WALL
        n = libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, None, None)
        if n < 0:
            raise Skip(f"this kernel shows no filters: errno {ctypes.get_errno()}")
        buf = ctypes.create_string_buffer(8 * n)
        check(libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, None, buf) == n, "PTRACE_SECCOMP_GET_FILTER")
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)
    return list(struct.iter_unpack("<HBBI", buf.raw))


def allowed(program, nr):
    """Whether some arguments exist with which the filter (classic BPF) allows the call."""
    todo = [(0, None)]  # program counter, accumulator: None if it depends on the arguments
    while todo:
        pc, a = todo.pop()
        code, jt, jf, k = program[pc]
        if code == 0x20:  # ld [k]
            todo.append((pc + 1, {0: nr, 4: AUDIT_ARCH_X86_64}.get(k)))
        elif code == 0x06:  # ret
            if k == ALLOW:
                return True
        elif code == 0x05:  # ja
            todo.append((pc + 1 + k, a))
        elif code in (0x15, 0x25, 0x35, 0x45):  # jeq, jgt, jge, jset
            if a is None:
                todo += [(pc + 1 + jt, None), (pc + 1 + jf, None)]
            else:
                taken = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: a & k != 0}[code]
                todo.append((pc + 1 + (jt if taken else jf), a))
        elif code == 0x54:  # and
            todo.append((pc + 1, None if a is None else a & k))
        else:
            raise AssertionError(f"instruction {code:#x} in a filter")
    return False


def calls_of(pid):
    program = filter_of(pid)
    return {nr for nr in range(CALLS_END) if allowed(program, nr)}


def started(t, *flags):
    """Process ids of sandbox and gofer of a container that has done something. A gofer gives up what it has before it serves
    the first request, which may be after the container's start."""
    name = t.start(["/bin/sh", "-c", "ls /; echo x >/tmp/y; echo done; sleep 1000"], flags=flags)
    state = t.state_file(name)
    wait_for(lambda: "done\n" in t.output(name), "done")
    wait_for(lambda: serving(state["goferPid"]), "the gofer at work")
    return name, state["sandboxPid"], state["goferPid"]


def serving(pid):
    """Whether it sleeps until a request comes."""
    with open(f"/proc/{pid}/syscall") as f:
        return f.read().split()[0] == str(RECVMSG)


def test_security_status(t):
    for flags, mine in (((), FILE_CAPS), (("--directfs=false",), {})):
        name, sandbox, gofer = started(t, "--network=none", *flags)
        for pid, wanted in ((sandbox, mine), (gofer, GOFER_CAPS)):
            for tid in os.listdir(f"/proc/{pid}/task"):
                s = status(f"{pid}/task/{tid}")
                if s["Name"].startswith("kvm-"):
                    continue  # a worker of the host kernel's
                equal((s["CapEff"], s["CapPrm"]), (caps(wanted),) * 2, f"{s['Name']} {flags}: capabilities")
                equal((s["CapBnd"], s["CapInh"], s["CapAmb"]), (caps({}),) * 3, f"{s['Name']}: other sets of capabilities")
                equal((s["NoNewPrivs"], s["Seccomp"]), ("1", "2"), f"{s['Name']}: no_new_privs, seccomp")
        t.ok("delete", "--force", name)


def test_security_namespaces(t):
    name, sandbox, gofer = started(t, "--network=none")
    for pid, own in ((sandbox, {"user", "pid", "mnt", "ipc", "uts", "net"}), (gofer, {"pid", "mnt", "ipc", "uts"})):
        differ = {n for n in own if os.readlink(f"/proc/{pid}/ns/{n}") != os.readlink(f"/proc/self/ns/{n}")}
        equal(differ, own, f"namespaces of its own of {pid}")
    equal(os.listdir(f"/proc/{sandbox}/root"), [], "root of the sandbox")
    check(all(re.fullmatch(r"m\d+", d) for d in os.listdir(f"/proc/{gofer}/root")), "root of the gofer")
    t.ok("delete", "--force", name)


def descriptors(pid):
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


def test_security_descriptors(t):
    """Nothing but what docs/security.md lists. Mounts are seen by the names that they have in the gofer."""
    known = re.compile(r"anon_inode:(\[eventfd\]|\[eventpoll\]|kvm-vm|kvm-vcpu:\d+)|/memfd:runsc-(ram|stub-calls).*|socket:.*|"
                       r"/m\d+(/.*)?|/dev/null|/proc/meminfo|/proc/\d+/statm|/(.*/)?memory\.[a-z_.]+|/(proc/)?\d+/oom_score_adj|"
                       + re.escape(str(t.tmp)) + r"/.*\.out")
    for flags in ((), ("--directfs=false",)):
        name, sandbox, gofer = started(t, "--network=none", *flags)
        for pid in (sandbox, gofer):
            links = descriptors(pid)
            equal([l for l in links if not known.fullmatch(l)], [], f"unknown descriptors of {pid} {flags}")
            check("/dev/kvm" not in links, "an open /dev/kvm")
        t.ok("delete", "--force", name)


def test_security_calls(t):
    limit = {"kvm": 47, "ptrace": 51}[t.platform]
    for flags, most in (((), limit), (("--directfs=false",), limit - 9), (("--network=host",), limit + 10)):
        name, sandbox, gofer = started(t, *(flags if "--network=host" in flags else ("--network=none", *flags)))
        calls = calls_of(sandbox)
        check(20 < len(calls) <= most, f"{len(calls)} system calls with {flags}: {sorted(calls)}")
        never = NEVER - ({PTRACE_CALL} if t.platform == "ptrace" else set()) - ({41} if "--network=host" in flags else set())
        equal(calls & never, set(), f"forbidden calls of the sandbox with {flags}")
        equal(calls_of(gofer) & NEVER, set(), "forbidden calls of the gofer")
        t.ok("delete", "--force", name)


def test_security_documented(t):
    text = (HERE.parent.parent / "docs/security.md").read_text()
    contains(text, t.ok("filter").out, "docs/security.md: what `runsc filter` prints")
    counts = dict(re.findall(r"^\| (kvm.*|ptrace) \| (\d+) \|$", text, re.M))
    check(int(counts["kvm, Sentry in the guest"]) <= 45, "at most 45 calls in guest placement")


def debug_where(t, file, text):
    """What `debug` says of a container on whose host the file reads like this."""
    name, other = t.new_id(), t.tmp / "other"
    other.write_text(text + "\n")
    with open(t.tmp / f"{name}.out", "wb") as out:
        p = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', other, file] +
                           t.argv("run", "--detach", "--bundle", t.bundle(["/bin/sleep", "1000"]), name),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT)
    equal(p.returncode, 0, f"run: {t.output(name)}")
    said = t.ok("debug", name).out
    t.ok("delete", "--force", name)
    return said


def test_security_meltdown(t):
    """Where the host's kernel says that the CPU has it, `debug` does, on the platform that leaves it to the application."""
    file = "/sys/devices/system/cpu/vulnerabilities/meltdown"
    if not os.path.exists(file):
        raise Skip("this kernel does not say what the CPU has")
    for text, has in (("Mitigation: PTI", t.platform == "kvm"), ("Vulnerable", t.platform == "kvm"), ("Not affected", False)):
        equal("Meltdown" in debug_where(t, file, text), has, f"debug, with {text!r}")


def test_security_clocksource(t):
    """A TSC that the host's kernel does not go by is not good enough for the container."""
    file = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    if not os.path.exists(file):
        raise Skip("no /sys")
    contains(debug_where(t, file, "hpet"), "clocks without the TSC: ", "debug, where the host uses its HPET")
