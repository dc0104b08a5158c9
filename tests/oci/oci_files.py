# SPDX-License-Identifier: Apache-2.0
"""Files of the host: mapped and cut short by others, too many of them, single ones, mount points that the root lacks."""
import os
import shutil
import struct
import subprocess
import time

from harness import TIMEOUT, check, contains, equal, finish, read_until

PAGE, PAGES = 4096, 16


def own_root(t):
    rootfs = t.tmp / "own-root"
    if not rootfs.exists():
        subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    return rootfs


def bind(source, destination, *options):
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", *options]}


def truncated(t, how, path, inside, **kw):
    path.write_bytes(b"x" * PAGE * PAGES)
    p = t.popen("run", "--bundle", t.bundle(["/bin/host_files", "truncated", how, inside], **kw), t.new_id(),
                stdin=subprocess.PIPE)
    read_until(p, "ready\n")
    os.truncate(path, PAGE + 100)
    p.stdin.write(b"\n")
    p.stdin.flush()
    read_until(p, "lost\n")
    os.truncate(path, PAGE * PAGES)
    r = finish_with(p, b"\n")
    equal((r.status, r.out), (0, "ok\n"), f"how {how}: {r.err}")


def finish_with(p, text):
    p.stdin.write(text)
    p.stdin.flush()
    return finish(p)


def test_truncated_by_host(t):
    d = t.tmp / "d"
    d.mkdir()
    for how in "rws":
        truncated(t, how, d / how, f"/mnt/{how}", change=lambda c: c["mounts"].append(bind(d, "/mnt", "rw")))


def test_truncated_in_root(t):
    """With --file-access=exclusive the Sentry believes its own sizes, until a fault tells it otherwise."""
    rootfs = own_root(t)
    for how in "rws":
        truncated(t, how, rootfs / how, f"/{how}", rootfs=rootfs)


def test_truncated_without_handler(t):
    """The default action ends the program; the sandbox lives on."""
    f = t.tmp / "f"
    f.write_bytes(b"x" * PAGE * PAGES)
    script = "helper mapped /mnt/f & wait $!; echo $?; cat /proc/version >/dev/null && echo alive"
    p = t.popen("run", "--bundle", t.bundle(["/bin/sh", "-c", "exec 3<&0; " + script.replace("/mnt/f &", "/mnt/f <&3 &")],
                change=lambda c: c["mounts"].append(bind(f, "/mnt/f", "rw")), rootfs=own_root(t)), t.new_id(),
                stdin=subprocess.PIPE)
    read_until(p, "ready xx\n")
    os.truncate(f, 0)
    r = finish_with(p, b"\n")
    contains(r.out, "alive", f"the sandbox after a SIGBUS: {r}")


def test_truncated_by_itself(t):
    rootfs = own_root(t)
    for flags in ([], ["--file-access=shared"], ["--directfs=false"]):
        (rootfs / "f").write_bytes(b"x" * PAGE * PAGES)
        r = t.run_bundle(["/bin/host_files", "truncate-self", "/f"], rootfs=rootfs, flags=flags)
        equal((r.status, r.out), (0, "ok\n"), f"{flags}: {r.err}")


def test_window_reuse(t):
    d = t.tmp / "d"
    d.mkdir()
    for f in range(97):
        (d / f"f{f}").write_bytes(b"".join(str(f * 100 + k).encode().ljust(PAGE, b"\0") for k in range(PAGES)))
    r = t.run_bundle(["/bin/host_files", "windows", "/mnt"], lambda c: c["mounts"].append(bind(d, "/mnt", "rw")))
    equal((r.status, r.out), (0, "ok\n"), r.err)


def test_unmappable(t):
    """A file system without mmap: sysfs."""
    r = t.run_bundle(["/bin/host_files", "unmappable", "/mnt/mm/transparent_hugepage/enabled"],
                     lambda c: c["mounts"].append(bind("/sys/kernel", "/mnt", "ro")))
    equal((r.status, r.out), (0, "copied\n"), r.err)


def make_files(d, n):
    d.mkdir()
    for i in range(n):
        (d / f"f{i}").write_text("x")


def test_few_descriptors_find(t):
    """More directories than descriptors: those of unused ones are given back."""
    for i in range(30):
        for k in range(40):
            (t.tmp / f"d/{i}/{k}").mkdir(parents=True)
            (t.tmp / f"d/{i}/{k}/file").write_text("x")
    script = "find /mnt | wc -l; find /mnt -type f | xargs cat | wc -c; find /mnt | wc -l"
    for flags in ([], ["--directfs=false"], ["--overlay2=all:memory"]):
        b = t.bundle(["/bin/sh", "-c", script], lambda c: c["mounts"].append(bind(t.tmp / "d", "/mnt", "rw")))
        p = subprocess.run(["prlimit", "--nofile=600:600", *t.argv("run", "--bundle", b, t.new_id(), flags=flags)],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, text=True)
        equal((p.returncode, p.stdout.split()), (0, ["2431", "1200", "2431"]), f"{flags}: {p.stderr}")


def test_few_descriptors_open(t):
    """A container that holds all that files may have: ENFILE for it, and runsc's own commands work."""
    make_files(t.tmp / "d", 1800)
    name = t.new_id()
    b = t.bundle(["/bin/host_files", "descriptors", "/mnt", "2"],
                 lambda c: c["mounts"].append(bind(t.tmp / "d", "/mnt", "rw")))
    p = subprocess.Popen(["prlimit", "--nofile=1400:1400", *t.argv("run", "--bundle", b, name)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    out = read_until(p, "full\n")
    contains(out, "of 2", "files held")
    check("held 2 of 2" not in out, "the container got more than its part of the descriptors")
    r = t.run("exec", name, "/bin/echo", "there") if has_exec(t) else t.run("state", name)
    equal(r.status, 0, f"a command while the container has no descriptors left: {r}")
    r = finish_with(p, b"\n")
    equal((r.status, r.out), (0, "ok\n"), r.err)


def has_exec(t):
    return "exec" in t.run("help").out


def test_single_files(t):
    f, g = t.tmp / "f", t.tmp / "g"
    script = ("cat /etc/passwd; stat -c %s:%a:%h:%F /etc/passwd; echo more >> /etc/passwd; cat /etc/passwd; chmod 600 /etc/passwd; "
              "rm /etc/passwd && echo removed; mv /bin/sh /etc/passwd && echo moved; mv /etc/passwd /etc/x && echo moved; "
              "ln /etc/passwd /etc/y && echo linked; echo new > /etc/passwd; cat /etc/passwd; cat /etc/hosts; "
              "echo x >> /etc/hosts; ls /etc")
    for flags in ([], ["--directfs=false"], ["--file-access=shared"]):
        rootfs = own_root(t)
        (rootfs / "etc/hosts").touch()
        f.write_text("one\n")
        os.chmod(f, 0o640)
        g.write_text("hosts\n")
        r = t.run_bundle(["/bin/sh", "-c", script], lambda c: c["mounts"].extend([bind(f, "/etc/passwd", "rw"),
                                                                                  bind(g, "/etc/hosts", "ro")]),
                         rootfs=rootfs, flags=flags)
        equal(r.out, "one\n4:640:1:regular file\none\nmore\nnew\nhosts\ngroup\nhosts\npasswd\n", f"{flags}: {r.err}")
        equal(r.err.count("busy"), 3, f"EBUSY: {r.err}")
        equal((f.read_text(), f.stat().st_mode & 0o777, g.read_text()), ("new\n", 0o600, "hosts\n"), "the host's files")


def test_single_file_mapped(t):
    f = t.tmp / "f"
    f.write_bytes(b"x" * PAGE * PAGES)
    r = t.run_bundle(["/bin/host_files", "truncate-self", "/etc/passwd"],
                     lambda c: c["mounts"].append(bind(f, "/etc/passwd", "rw")), rootfs=own_root(t))
    equal((r.status, r.out), (0, "ok\n"), r.err)


def test_made_up_mount_points(t):
    """A read-only root lacks mount points: they exist in the container only, and its listings show them."""
    d, f = t.tmp / "d", t.tmp / "f"
    d.mkdir()
    (d / "inside").write_text("in a directory\n")
    f.write_text("in a file\n")
    rootfs = own_root(t)
    before = sorted(str(p) for p in rootfs.rglob("*"))

    def change(c):
        c["root"]["readonly"] = True
        c["mounts"] += [bind(d, "/new/deep/dir", "rw"), bind(f, "/new/deep/file", "ro"), bind(f, "/etc/extra", "ro"),
                        {"destination": "/new/tmp", "type": "tmpfs", "source": "tmpfs"}]
    script = ("ls / /new /new/deep /etc; cat /new/deep/dir/inside /new/deep/file /etc/extra; echo y > /new/deep/dir/y; "
              "stat -c %F:%a /new /new/deep/dir /new/deep/file; touch /new/x; touch /new/tmp/x && ls /new/tmp; rmdir /new/deep; "
              "cd /new/deep && pwd")
    for flags in ([], ["--directfs=false"]):
        r = t.run_bundle(["/bin/sh", "-c", script], change, rootfs=rootfs, flags=flags)
        equal(r.out, "/:\nbin\ndev\netc\nmnt\nnew\nproc\nroot\nrun\nsys\ntmp\nusr\n\n/etc:\nextra\ngroup\npasswd\n\n"
              "/new:\ndeep\ntmp\n\n/new/deep:\ndir\nfile\nin a directory\nin a file\nin a file\n"
              "directory:755\ndirectory:755\nregular file:644\nx\n/new/deep\n", r.err)
        contains(r.err, "Read-only file system", "writing beside made-up mount points")
        equal((d / "y").read_text(), "y\n", "a write through such a mount")
        equal(sorted(str(p) for p in rootfs.rglob("*")), before, "the host's root")


def test_programs_changed_by_host(t):
    """What the Sentry remembers of a program from one execve(2) to the next follows what others do to the file."""
    d = t.tmp / "programs"
    d.mkdir()
    program = d / "busybox"
    shutil.copy(t.rootfs / "bin/busybox", program)
    time.sleep(3.2)  # the Sentry trusts no change time of the last two seconds

    name = t.start(change=lambda c: c["mounts"].append(bind(d, "/programs", "ro")))

    def permitted():
        out = t.ok("exec", "--user", "1000:1000", name, "/programs/busybox", "grep", "CapPrm", "/proc/self/status").out
        return int(out.split()[1], 16)

    kill = 1 << 5
    base = [permitted() & kill for _ in range(3)]
    equal(base, [0, 0, 0], "capabilities of a program without any")
    os.setxattr(program, "security.capability", struct.pack("<IIIII", 0x02000001, kill, 0, 0, 0))
    equal([permitted() & kill for _ in range(2)], [kill, kill], "capabilities that the host gave it")
    os.removexattr(program, "security.capability")
    equal([permitted() & kill for _ in range(2)], [0, 0], "when the host has taken them")
    with open(program, "r+b") as f:
        f.write(b"#!/bin/sh\necho changed\nexit\n")
    equal(t.ok("exec", name, "/programs/busybox").out, "changed\n", "a program whose first bytes were overwritten")
    t.ok("delete", "--force", name)
