# SPDX-License-Identifier: Apache-2.0
"""Bad input: each gets one clear line that names the file or field, status 128, and leaves nothing behind."""
import json
import os
import random
import shutil
import struct
import subprocess

from harness import TIMEOUT, check, contains, default_config, equal


def refused(t, r, *parts):
    """One line, with all the parts."""
    equal(r.status, 128, f"status ({r!r})")
    lines = r.err.strip().splitlines()
    equal(len(lines), 1, f"lines of {r.err!r}")
    for part in parts:
        contains(lines[0], part, "message")
    t.expect_clean()


def run_text(t, text):
    b = t.bundle()
    (b / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return t.run("run", "--bundle", b, t.new_id())


def run_changed(t, change):
    return t.run_bundle(["/bin/true"], change)


def set_path(config, path, value):
    *parents, last = path.split(".")
    for p in parents:
        config = config.setdefault(p, {}) if isinstance(config, dict) else config[int(p)]
    if value is DELETE:
        del config[last]
    elif isinstance(config, list):
        config[int(last)] = value
    else:
        config[last] = value


DELETE = object()


def test_input_not_json(t):
    good = json.dumps(default_config(["/bin/true"]))
    for text in ("", "{", "[]", "null", "true", good[:-1], good[:len(good) // 2], good + "x", "\0", good.replace("{", "{{", 1),
                 b"\xff\xfe\xfd", "{\"a\":" * 10000, "[" * 100000):
        refused(t, run_text(t, text), "config.json")


def test_input_truncated(t):
    """Every prefix of a good config is refused, none crashes."""
    good = json.dumps(default_config(["/bin/true"]))
    for n in random.Random(1).sample(range(len(good)), 12):
        refused(t, run_text(t, good[:n]), "config.json")


def test_input_missing(t):
    empty = t.tmp / "empty"
    empty.mkdir()
    refused(t, t.run("run", "--bundle", empty, t.new_id()), str(empty / "config.json"))
    refused(t, t.run("run", "--bundle", t.tmp / "none", t.new_id()), "--bundle", str(t.tmp / "none"))
    b = t.bundle()
    (b / "config.json").unlink()
    (b / "config.json").mkdir()
    refused(t, t.run("run", "--bundle", b, t.new_id()), "config.json")


def test_input_wrong_types(t):
    wrong = [("process", []), ("process", "x"), ("process.args", "x"), ("process.args", []), ("process.args", [1]), ("process.env", {}),
             ("process.env", [None]), ("process.cwd", 5), ("process.cwd", "relative"), ("process.user.uid", "root"),
             ("process.user.uid", -1), ("process.user.uid", 1.5), ("process.user.uid", 2 ** 32), ("process.user.gid", 1e300),
             ("process.user.additionalGids", ["x"]), ("process.terminal", "yes"), ("process.capabilities", []),
             ("process.capabilities.effective", "ALL"), ("process.rlimits", [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]),
             ("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 5, "hard": 1}]), ("process.rlimits", [5]),
             ("process.noNewPrivileges", 1), ("root", "rootfs"), ("root.path", 1), ("root.path", ""), ("root.readonly", "x"),
             ("hostname", 1), ("hostname", "x" * 100), ("mounts", {}), ("mounts.0", "x"), ("mounts.0.destination", 1),
             ("mounts.0.destination", "proc"), ("mounts.0.type", 1), ("mounts.0.options", "ro"), ("mounts.0.options", [1]), ("linux", []),
             ("linux.cgroupsPath", 1), ("linux.cgroupsPath", "a/../../b"), ("linux.cgroupsPath", "system.slice:a:b"),
             ("linux.resources", 1), ("linux.resources.memory.limit", "1g"), ("linux.resources.pids.limit", 0.5),
             ("annotations", []), ("annotations.x", 1), ("ociVersion", 1), ("ociVersion", "0.1"), ("ociVersion", "two")]
    for path, value in wrong:
        r = run_changed(t, lambda c: set_path(c, path, value))
        field = path.replace(".0", "[0]") if "0" in path else path
        field = field.replace("annotations.x", "annotations")
        refused(t, r, "config.json", field)


def test_input_missing_fields(t):
    for path in ("process", "process.args", "process.cwd", "root", "root.path", "ociVersion", "mounts.0.destination"):
        r = run_changed(t, lambda c: set_path(c, path, DELETE))
        refused(t, r, "config.json", path.replace(".0", "[0]"), "missing")


def test_input_huge_values(t):
    refused(t, run_changed(t, lambda c: c["process"].update(args=["/bin/true", "x" * (4 << 20)])), "process.args")
    refused(t, run_changed(t, lambda c: c["process"].update(env=["A=" + "x" * (1 << 20)] * 4)), "process")
    refused(t, run_changed(t, lambda c: c.update(mounts=[{"destination": f"/mnt/{i}", "type": "bind", "source": "/tmp",
                                                          "options": ["bind"]} for i in range(100)])), "bind mounts")
    refused(t, run_text(t, json.dumps(default_config(["/bin/true"]))[:-1] + " " * (20 << 20) + "}"), "config.json")


def test_input_root(t):
    refused(t, run_changed(t, lambda c: c["root"].update(path="/no/such/dir")), "root.path", "/no/such/dir")
    refused(t, run_changed(t, lambda c: c["root"].update(path="missing")), "root.path", "missing")
    refused(t, run_changed(t, lambda c: c["root"].update(path="/etc/passwd")), "root.path", "not a directory")
    refused(t, t.run("do", "--root", "/no/such/dir", "true"), "--root", "/no/such/dir")
    refused(t, t.run("do", "--root", "/etc/passwd", "true"), "--root", "not a directory")


def test_input_mounts(t):
    def mount(**kw):
        return lambda c: c["mounts"].append(dict({"destination": "/mnt"}, **kw))
    refused(t, run_changed(t, mount(type="nosuchfs", source="x")), "mounts[5].type", "nosuchfs")
    refused(t, run_changed(t, mount(type="ext4", source="/dev/sda")), "mounts[5].type", "ext4")
    refused(t, run_changed(t, mount(type="bind", source="/no/such")), "mounts[5].source", "/no/such")
    refused(t, run_changed(t, mount(type="bind")), "mounts[5].source")
    refused(t, run_changed(t, mount(type="bind", source="/dev/null")), "/dev/null")
    refused(t, run_changed(t, mount()), "mounts[5].type")
    refused(t, run_changed(t, mount(type="bind", source="/tmp", options=["bind", "idmap"])), "mounts[5].options", "idmap")
    r = run_changed(t, mount(type="bind", source="/tmp", options=["bind", "rshared", "nosymfollow"]))
    equal(r.status, 0, r.err)
    contains(r.err, "rshared", "warning")
    contains(r.err, "nosymfollow", "warning")


def test_input_climbing_paths(t):
    """Links and .. in the container's own files lead nowhere outside of it."""
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    secret = t.tmp / "secret"
    secret.mkdir()
    (secret / "f").write_text("secret\n")
    os.symlink("../" * 20 + str(secret), rootfs / "climb")
    os.symlink(str(secret), rootfs / "absolute")
    os.symlink("/proc/self/root/../../.." + str(secret), rootfs / "magic")
    script = ("for d in /climb /absolute /magic /../../..%s; do cat $d/f; echo x > $d/g; done; cd /; cd ..; pwd; ls -di / /..; true"
              % secret)
    for flags in ([], ["--directfs=false"]):
        r = t.run_bundle(["/bin/sh", "-c", script], rootfs=rootfs, flags=flags)
        equal(r.status, 0, r.err)
        check("secret\n" not in r.out, f"read from outside: {r.out}")
        lines = r.out.split("\n")
        equal(lines[0], "/", "cd ..")
        equal(lines[1].split()[0], lines[2].split()[0], "inode of /..")
    check(not (secret / "g").exists(), "written outside")
    # A mount point that is a link to somewhere else is made inside.
    os.symlink(str(secret), rootfs / "link")
    r = t.run_bundle(["/bin/sh", "-c", "echo y > /link/y; true"],
                     lambda c: c["mounts"].append({"destination": "/link/sub/../y2", "type": "tmpfs", "source": "x"}), rootfs=rootfs)
    check(os.listdir(secret) == ["f"], f"made outside: {os.listdir(secret)} {r}")


def test_input_programs(t):
    refused(t, t.run_bundle(["/bin/nothing"]), "/bin/nothing", "no such file")
    refused(t, t.run_bundle(["nothing-in-path"]), "nothing-in-path", "$PATH")
    refused(t, t.run_bundle(["/etc/passwd"]), "/etc/passwd", "permission denied")
    refused(t, t.run_bundle(["/etc"]), "/etc", "permission denied")
    refused(t, t.run_bundle([""]), "exec")


def exec_results(t, files, rootfs):
    """errno of execve for each file, by the tests' helper and by Linux."""
    names = sorted(files)
    for name in names:
        path = rootfs / "mnt" / name
        path.write_bytes(files[name])
        path.chmod(0o755)
    args = ["/bin/helper", "exec"] + [f"/mnt/{n}" for n in names]
    return args


def elf(**change):
    """A minimal static program that exits with 42, with fields changed."""
    code = b"\xb8\x3c\x00\x00\x00\xbf\x2a\x00\x00\x00\x0f\x05"
    e = dict(magic=b"\x7fELF", cls=2, data=1, version=1, abi=0, type=2, machine=62, eversion=1, entry=0x400078, phoff=64, shoff=0,
             flags=0, ehsize=64, phentsize=56, phnum=1, shentsize=0, shnum=0, shstrndx=0, ptype=1, pflags=5, offset=0,
             vaddr=0x400000, filesz=120 + len(code), memsz=120 + len(code), align=0x1000)
    e.update(change)
    head = e["magic"] + struct.pack("<BBBBxxxxxxx", e["cls"], e["data"], e["version"], e["abi"])
    head += struct.pack("<HHIQQQIHHHHHH", e["type"], e["machine"], e["eversion"], e["entry"], e["phoff"], e["shoff"], e["flags"],
                        e["ehsize"], e["phentsize"], e["phnum"], e["shentsize"], e["shnum"], e["shstrndx"])
    ph = struct.pack("<IIQQQQQQ", e["ptype"], e["pflags"], e["offset"], e["vaddr"], e["vaddr"], e["filesz"], e["memsz"], e["align"])
    return head + ph + code


M = 2 ** 64 - 1
HOSTILE = {
    "good": elf(), "empty": b"", "one-byte": b"\x7f", "magic-only": b"\x7fELF", "header-cut": elf()[:40], "phdr-cut": elf()[:80],
    "class32": elf(cls=1), "big-endian": elf(data=2), "machine": elf(machine=3), "type0": elf(type=0), "core": elf(type=4),
    "phnum0": elf(phnum=0), "phnum-max": elf(phnum=0xffff), "phentsize": elf(phentsize=1), "phoff-huge": elf(phoff=M - 8),
    "phoff-neg": elf(phoff=1 << 63), "phoff-end": elf(phoff=1 << 40), "entry0": elf(entry=0), "entry-kernel": elf(entry=0xffffffff80000000),
    "entry-noncanonical": elf(entry=1 << 48), "vaddr-kernel": elf(vaddr=0xffff800000000000), "vaddr-high": elf(vaddr=0x7ffffffff000),
    "vaddr-window": elf(vaddr=0x680000000000), "vaddr0": elf(vaddr=0), "vaddr-odd": elf(vaddr=0x400123),
    "filesz-huge": elf(filesz=M), "memsz-huge": elf(memsz=M), "memsz-big": elf(memsz=1 << 46), "memsz-less": elf(memsz=8),
    "offset-huge": elf(offset=M & ~0xfff), "offset-odd": elf(offset=0x123), "align-odd": elf(align=3), "align0": elf(align=0),
    "no-load": elf(ptype=0), "no-exec": elf(pflags=4), "interp-only": elf(ptype=3), "interp-huge": elf(ptype=3, filesz=1 << 40),
    "interp-zero": elf(ptype=3, filesz=0), "text": b"echo hi\n", "script-ok": b"#!/bin/sh\nexit 42\n", "script-empty": b"#!\n",
    "script-missing": b"#!/no/such/interpreter\n", "script-dir": b"#!/bin\n", "script-itself": b"#!/mnt/script-itself\n",
    "script-long": b"#!/" + b"x" * 300 + b"\n", "script-relative": b"#!bin/sh\n", "script-spaces": b"#!   /bin/sh   \nexit 42\n",
    "script-no-newline": b"#!/bin/sh", "script-nul": b"#!/bin/sh\0\nexit 42\n", "zeros": bytes(4096), "random": random.Random(7).randbytes(4096),
}


def test_input_elf(t):
    """Absurd programs end as they do under Linux, by errno or by signal."""
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    args = exec_results(t, HOSTILE, rootfs)
    r = t.run_bundle(args, rootfs=rootfs)
    equal(r.status, 0, r)
    linux = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"', rootfs] + args,
                           stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True).stdout
    differ = [f"{a} (Linux: {b.split(' ', 1)[1]})" for a, b in zip(r.out.splitlines(), linux.splitlines()) if a != b]
    check(not differ and len(r.out.splitlines()) == len(HOSTILE), "; ".join(differ) or r.out)


def test_input_elf_random(t):
    """Programs with random headers never hurt the sandbox."""
    rng = random.Random(3)
    files = {}
    base = elf() + bytes(8192)
    for i in range(60):
        b = bytearray(base)
        for _ in range(rng.randint(1, 6)):
            b[rng.randrange(4, 120)] = rng.choice([0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)])
        files[f"r{i:02}"] = bytes(b)
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    r = t.run_bundle(exec_results(t, files, rootfs), rootfs=rootfs)
    equal((r.status, len(r.out.splitlines())), (0, len(files)), r)


def test_input_cwd(t):
    r = t.run_bundle(["/bin/pwd"], lambda c: c["process"].update(cwd="/tmp/made/by/runsc"))
    equal((r.status, r.out), (0, "/tmp/made/by/runsc\n"), r.err)
    refused(t, t.run_bundle(["/bin/pwd"], lambda c: c["process"].update(cwd="/etc/passwd")), "process.cwd", "/etc/passwd", "not a directory")
    refused(t, t.run("do", "--cwd", "relative", "true"), "--cwd")


def test_input_unknown_user(t):
    def change(c):
        c["process"]["user"] = {"uid": 4000000000, "gid": 4000000001}
    r = t.run_bundle(["/bin/sh", "-c", "id -u; id -g; echo $HOME"], change)
    equal((r.status, r.out), (0, "4000000000\n4000000001\n/root\n"), r.err)


def test_input_flags(t):
    for flags, part in ((["--platform=xen"], "--platform"), (["--overlay2=disk"], "--overlay2"), (["--memory=1k"], "--memory"), (["--memory=x"], "--memory"),
                        (["--cpus=9999"], "--cpus"), (["--cpus=-1"], "--cpus"), (["--network=sandbox"], "--network"),
                        (["--host-uds=open"], "--host-uds=open is not supported"), (["--host-uds=all"], "--host-uds=all is not supported"),
                        (["--host-fifo=open"], "--host-fifo=open is not supported"), (["--host-uds=some"], "--host-uds"),
                        (["--sentry=guest"], "--sentry"), (["--file-access=x"], "--file-access"), (["--directfs=perhaps"], "--directfs"),
                        (["--nonsense"], "--nonsense")):
        refused(t, t.run("do", f"--root={t.rootfs}", "true", flags=flags), part)


def test_input_ids(t):
    for bad in ("", ".", "..", "a/b", "a b", "x" * 200, "ü", "$(id)", "a\nb"):
        r = t.run("run", "--bundle", t.bundle(), "--", bad)
        equal(r.status, 128, f"{bad!r}: {r!r}")
        r = t.run("delete", "--", bad)
        equal(r.status, 128, f"delete {bad!r}: {r!r}")
    t.expect_clean()


def test_input_unhandled_is_told(t):
    """What runsc does not handle is warned of by name."""
    r = run_changed(t, lambda c: c["linux"].update(intelRdt={"closID": "x"}))
    equal(r.status, 0, r.err)
    contains(r.err, "linux.intelRdt", "warning")


def test_input_pid_file(t):
    refused(t, t.run("run", "--bundle", t.bundle(["/bin/sleep", "100"]), "--pid-file", "/no/such/dir/pid", t.new_id()), "--pid-file")


def test_input_overlong_path(t):
    """A long --root does not hit the limit of socket names."""
    deep = t.tmp / "/".join(["d" * 60] * 4)
    r = t.run("do", f"--root={t.rootfs}", "/bin/echo", "x", flags=[f"--root={deep}"])
    equal((r.status, r.out), (0, "x\n"), r.err)
    shutil.rmtree(t.tmp / ("d" * 60))
