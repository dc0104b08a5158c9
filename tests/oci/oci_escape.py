# SPDX-License-Identifier: Apache-2.0
"""Ways out of a container that must not lead anywhere: swapped directories, `..`, links, devices, sockets, descriptors."""
import contextlib
import ctypes
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import threading

from harness import TIMEOUT, check, contains, equal, finish, read_until

RENAME_EXCHANGE = 2
AT_FDCWD = -100
FLAGS = ([], ["--directfs=false"], ["--file-access=exclusive"])
libc = ctypes.CDLL(None, use_errno=True)


def bind(source, destination, *options):
    return lambda c: c["mounts"].append({"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", *options]})


def outside(t):
    """A directory of the host's that no container has."""
    d = t.tmp / "outside"
    (d / "sub").mkdir(parents=True)
    for f in ("secret", "sub/secret", "only-outside"):
        (d / f).write_text("HOST\n")
    return d


def tree(d):
    return sorted((str(p.relative_to(d)), p.lstat().st_mode, p.read_text() if p.is_file() else "") for p in d.rglob("*"))


@contextlib.contextmanager
def swapping(a, b):
    """a and b change places all the time."""
    stop = threading.Event()
    a, b = os.fsencode(a), os.fsencode(b)

    def swap():
        while not stop.is_set():
            libc.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def race(t, target):
    """A directory and a symbolic link to the target change places under a container that works below their name."""
    out = outside(t)
    before = tree(out)
    for n, flags in enumerate(FLAGS):
        share = t.tmp / f"share{n}"
        (share / "d/sub").mkdir(parents=True)
        (share / "d/secret").write_text("mine\n")
        (share / "l").symlink_to(target(share, out))
        with swapping(share / "d", share / "l"):
            r = t.run_bundle(["/bin/escape", "lookups", "/m", "700"], bind(share, "/m", "rw"), flags)
        equal(r.status, 0, f"{flags}: {r}")
        contains(r.out, "rounds", f"{flags}")
        equal(tree(out), before, f"{flags}: what the host has outside")


def test_swapped_for_link(t):
    race(t, lambda share, out: out)


def test_swapped_for_relative_link(t):
    race(t, lambda share, out: os.path.relpath(out, share))


def test_swapped_for_proc_link(t):
    race(t, lambda share, out: f"/proc/self/root{out}")


def test_two_containers_race(t):
    """One container swaps what another one, which shares the directory, looks up."""
    out = outside(t)
    before = tree(out)
    share = t.tmp / "share"
    (share / "d/sub").mkdir(parents=True)
    (share / "l").symlink_to(out)
    name = t.start(["/bin/sh", "-c", "while :; do mv -T /m/d /m/x; mv -T /m/l /m/d; mv -T /m/d /m/l; mv -T /m/x /m/d; done 2>/dev/null"],
                   bind(share, "/m", "rw"))
    r = t.run_bundle(["/bin/escape", "lookups", "/m", "1000"], bind(share, "/m", "rw"))
    equal(r.status, 0, str(r))
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)
    equal(tree(out), before, "what the host has outside")


def test_moved_out_of_mount(t):
    """The working directory is moved out of the mount: `..` from there does not lead through the host."""
    for n, flags in enumerate(FLAGS):
        base = t.tmp / f"base{n}"
        (base / "share/sub/deep").mkdir(parents=True)
        (base / "secret").write_text("HOST\n")
        b = t.bundle(["/bin/escape", "climb", "/m/sub/deep"], bind(base / "share", "/m", "rw"))
        p = t.popen("run", "--bundle", b, t.new_id(), flags=flags, stdin=subprocess.PIPE)
        read_until(p, "inside\n")
        os.rename(base / "share/sub", base / "moved")
        p.stdin.write(b"go\n")
        p.stdin.flush()
        r = finish(p)
        equal((r.status, r.out), (0, "held\n"), f"{flags}: {r}")


def test_links_across_mounts(t):
    for d in ("one", "two"):
        (t.tmp / d).mkdir()
    (t.tmp / "one/f").write_text("HOST\n")

    def mounts(c):
        bind(t.tmp / "one", "/one", "ro")(c)
        bind(t.tmp / "two", "/two", "rw")(c)
    for flags in FLAGS:
        r = t.run_bundle(["/bin/sh", "-c", "ln /one/f /two/f; ln -s /one/f /two/s && echo > /two/s; echo x > /one/f; rm -f /two/s"],
                         mounts, flags)
        contains(r.err, "Invalid cross-device link", f"{flags}: {r}")
        equal(sorted(p.name for p in (t.tmp / "two").iterdir()), [], f"{flags}: the writable mount")
        equal((t.tmp / "one/f").read_text(), "HOST\n", f"{flags}: the read-only one")


def test_host_devices(t):
    """Nodes of devices that the Sentry does not have open nothing, whoever made them."""
    d = t.tmp / "dev"
    d.mkdir()
    for name, major, minor in (("tun", 10, 200), ("kvm", 10, 232), ("mem", 1, 1), ("kmsg", 1, 11)):
        os.mknod(d / name, 0o666 | 0o020000, os.makedev(major, minor))
        os.chmod(d / name, 0o666)
    os.mknod(d / "disk", 0o666 | 0o060000, os.makedev(254, 0))
    for flags in FLAGS:
        script = "for n in tun kvm mem disk; do escape open /m/$n; done; mknod /m/own c 10 232; escape open /m/own; rm /m/own"
        r = t.run_bundle(["/bin/sh", "-c", script], bind(d, "/m", "rw"), flags)
        check("opened" not in r.out and len(r.out.split()) == 5, f"{flags}: {r}")


def test_host_sockets(t):
    """Sockets and FIFOs of the host in a shared directory are names only."""
    d = t.tmp / "s"
    d.mkdir()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        here = os.getcwd()
        os.chdir(d)  # the path may be too long
        s.bind("socket")
        os.chdir(here)
        os.chmod(d / "socket", 0o777)
        s.listen()
        s.setblocking(False)
        os.mkfifo(d / "fifo")
        fifo = os.open(d / "fifo", os.O_RDONLY | os.O_NONBLOCK)
        try:
            for flags in FLAGS:
                r = t.run_bundle(["/bin/sh", "-c", "escape connect /m/socket; (echo hello > /m/fifo &); cat /m/fifo"], bind(d, "/m", "rw"), flags)
                equal(r.out, "ECONNREFUSED\nhello\n", f"{flags}: {r}")
                with contextlib.suppress(BlockingIOError):
                    s.accept()
                    check(False, f"{flags}: the host's socket was reached")
                equal(os.read(fifo, 64), b"", f"{flags}: the host's end of the FIFO")
        finally:
            os.close(fifo)


def test_descriptors(t):
    """What runsc has inherited goes neither into the container nor into its sandbox."""
    (t.tmp / "secret").write_text("HOST\n")
    leak = os.open(t.tmp / "secret", os.O_RDWR)
    directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(leak, True)
    os.set_inheritable(directory, True)
    try:
        name = t.new_id()
        b = t.bundle(["/bin/sh", "-c", "escape fds; exec sleep 1000"])
        p = t.popen("run", "--bundle", b, name, close_fds=False)
        equal(read_until(p, "\n"), "0 1 2 \n", "descriptors inside")
        state = t.state_file(name)
        theirs = [os.fstat(leak), os.fstat(directory)]
        for pid in (state["sandboxPid"], state["goferPid"]):
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    check(not any(os.path.samestat(fd.stat(), s) for s in theirs), f"process {pid} has {os.readlink(fd)}")
        t.wait_status(name, "running")
        t.ok("kill", name, "KILL")
        finish(p)
    finally:
        os.close(leak)
        os.close(directory)


def test_own_binary(t):
    """/proc/self/exe is never the host's: not for the container's first process, not for an exec."""
    before = hashlib.sha256(pathlib.Path(t.runsc).read_bytes()).hexdigest()
    rootfs = t.tmp / "root"
    shutil.copytree(t.rootfs, rootfs, symlinks=True)
    (rootfs / "evil").write_text("#!/proc/self/exe\n")
    os.chmod(rootfs / "evil", 0o755)
    name = t.start(["/bin/sleep", "1000"], rootfs=rootfs)
    r = t.run("exec", name, "/evil")
    check(r.status != 0 and "Usage: runsc" not in r.out + r.err, f"a script run by /proc/self/exe: {r}")
    r = t.run("exec", name, "/bin/sh", "-c", "readlink /proc/self/exe; readlink /proc/1/exe; for p in self 1; do echo x >> /proc/$p/exe; done")
    equal(r.out.split(), ["/bin/busybox", "/bin/busybox"], str(r))
    equal(r.err.count("Text file busy"), 2, str(r))
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)
    equal(hashlib.sha256(pathlib.Path(t.runsc).read_bytes()).hexdigest(), before, "runsc")


def test_set_id(t):
    """Set-id bits take effect only with --allow-suid, and never with noNewPrivileges."""
    rootfs = t.tmp / "root"
    shutil.copytree(t.rootfs, rootfs, symlinks=True)
    shutil.copy(rootfs / "bin/escape", rootfs / "bin/setid")
    os.chmod(rootfs / "bin/setid", 0o6755)

    def user(c):
        c["process"]["user"] = {"uid": 1000, "gid": 1000}

    def user_without(c):
        user(c)
        c["process"]["noNewPrivileges"] = True
    for flags, change, want in (([], user, "1000 1000"), (["--allow-suid"], user, "0 0"), (["--allow-suid"], user_without, "1000 1000")):
        r = t.run_bundle(["/bin/setid", "ids"], change, flags, rootfs)
        equal(r.out.strip(), want, f"{flags}: {r}")


def test_paths_of_the_bundle(t):
    """Mount points resolve inside the container's root, links in it or not."""
    out = outside(t)
    before = tree(out)
    rootfs = t.tmp / "root"
    shutil.copytree(t.rootfs, rootfs, symlinks=True)
    (rootfs / "up").symlink_to(os.path.relpath(out, rootfs))
    (rootfs / "abs").symlink_to(out)
    (rootfs / "outside").mkdir()
    (rootfs / str(out).lstrip("/")).mkdir(parents=True)
    (t.tmp / "data").mkdir()

    def mounts(c):
        c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/tmp"]  # it would cover where the link leads
        bind(t.tmp / "data", "/up/made", "rw")(c)
        bind(t.tmp / "data", "/abs/made", "rw")(c)
        bind(t.tmp / "data", "/../../../../made", "rw")(c)
    r = t.run_bundle(["/bin/sh", "-c", "echo x > /made/f; cat /abs/made/f"], mounts, rootfs=rootfs, timeout=TIMEOUT)
    equal(r.out, "x\n", str(r))
    equal(tree(out), before, "what the host has outside")
