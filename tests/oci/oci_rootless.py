# SPDX-License-Identifier: Apache-2.0
"""Without root, and containers with a user namespace of their own."""
import json
import os
import pathlib
import shutil
import subprocess

from harness import TIMEOUT, Skip, check, default_config, equal, make_rootfs, wait_for

NOBODY = 65534


class User:
    """runsc as an unprivileged user, with everything it needs in a directory that it can reach. nested: as root of a user
    namespace in which only one id exists, which is where rootless Podman's runtime is."""

    def __init__(self, t, uid=NOBODY):
        self.t, self.uid = t, uid
        self.dir = pathlib.Path(f"/tmp/{t.prefix}-user")
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(mode=0o755)
        self.runsc = self.dir / "runsc"
        shutil.copy2(t.runsc, self.runsc)
        self.rootfs = self.dir / "rootfs"
        self.rootfs.mkdir()
        make_rootfs(self.rootfs, pathlib.Path(t.runsc).parent / "tests/oci/helper")
        for d, _, files in os.walk(self.rootfs):
            for name in [d] + [os.path.join(d, f) for f in files]:
                os.lchown(name, uid, uid)
        self.run_dir = self.dir / "run"
        self.run_dir.mkdir()
        os.chown(self.run_dir, uid, uid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def argv(self, *args):
        group = os.stat("/dev/kvm").st_gid if os.path.exists("/dev/kvm") else self.uid
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", f"--groups={group}", "env", "-i", f"PATH={os.environ['PATH']}",
                f"XDG_RUNTIME_DIR={self.run_dir}", str(self.runsc), f"--platform={self.t.platform}", *[str(a) for a in args]]

    def run(self, *args, stdin=b""):
        p = subprocess.run(self.argv(*args), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT, cwd="/")
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def bundle(self, args, change=None):
        b = self.dir / f"bundle{len(list(self.dir.iterdir()))}"
        b.mkdir()
        config = default_config(args)
        config["root"]["path"] = str(self.rootfs)
        if change:
            change(config)
        (b / "config.json").write_text(json.dumps(config))
        return b


def test_rootless_do(t):
    with User(t) as u:
        equal(u.run("do", f"--root={u.rootfs}", "/bin/sh", "-c", "id -u; cat; echo x > /file; chmod 600 /file; exit 3", stdin=b"in\n"),
              (3, "0\nin\n", ""), "over a directory")
        check(not (u.rootfs / "file").exists(), "written through")
        status, out, err = u.run("do", "/bin/sh", "-c", "cat /proc/self/comm; test -e /sys/class/net/lo; test -e /sys/fs/cgroup/cgroup.procs || echo hidden")
        equal((status, out, err), (0, "cat\nhidden\n", ""), "over the host's root")
        equal(os.listdir(u.run_dir / "runsc"), [], "states")


def test_rootless_run(t):
    """A bundle, written through to a root file system of the user's; cgroups that cannot be had are none."""
    with User(t) as u:
        b = u.bundle(["/bin/sh", "-c", "echo hello > /file; mkdir /dir; stat -c %u:%g /file /dir /bin"])
        equal(u.run("run", "--bundle", b, "one"), (0, "0:0\n0:0\n0:0\n", ""), "run")
        st = (u.rootfs / "file").stat()
        equal((st.st_uid, st.st_gid, (u.rootfs / "file").read_text()), (u.uid, u.uid, "hello\n"), "the file outside")
        status, _, err = u.run("run", "--bundle", u.bundle(["/bin/true"], lambda c: c["linux"].update(resources={"cpu": {"shares": 100}})), "two")
        check(status == 128 and "cpu.shares" in err, f"a limit that cannot be set: {err}")
        equal(os.listdir(u.run_dir / "runsc"), [], "states")


def test_rootless_lifecycle(t):
    with User(t) as u:
        b = u.bundle(["/bin/sh", "-c", "trap 'exit 9' TERM; echo up; while :; do usleep 10000; done"])
        with open(u.dir / "out", "wb") as out:
            p = subprocess.run(u.argv("run", "--detach", "--bundle", b, "box"), stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT)
        text = lambda: (u.dir / "out").read_text()
        equal(p.returncode, 0, text())
        wait_for(lambda: "up" in text(), "up")
        status = lambda: json.loads(u.run("state", "box")[1])["status"]
        equal(status(), "running", "status")
        equal(u.run("exec", "box", "/bin/echo", "hi")[:2], (0, "hi\n"), "exec")
        equal(u.run("kill", "box", "TERM")[0], 0, "kill")
        wait_for(lambda: status() == "stopped", "stopped")
        equal(u.run("delete", "box")[0], 0, "delete")
        check(u.run("state", "box")[0] != 0, "state of a deleted container")


def test_rootless_subordinate_ids(t):
    """With newuidmap and a range in /etc/subuid the container has more than one user. The user is one of a mount namespace."""
    if not shutil.which("newuidmap"):
        raise Skip("no newuidmap (package uidmap)")
    uid, first = 54321, 300000
    with User(t, uid) as u:
        shadowed = {"passwd": f"sub:x:{uid}:{uid}::/:/bin/sh\n", "subuid": f"sub:{first}:65536\n", "subgid": f"sub:{first}:65536\n"}
        for name, text in shadowed.items():
            old = pathlib.Path("/etc") / name
            (u.dir / name).write_text((old.read_text() if name == "passwd" else "") + text)
        binds = "".join(f"mount --bind {u.dir / n} /etc/{n} && " for n in shadowed)
        b = u.bundle(["/bin/sh", "-c", "echo x > /file; chown 5:6 /file; stat -c %u:%g /file"])
        p = subprocess.run(["unshare", "--mount", "sh", "-c", binds + 'exec "$@"', "sh"] + u.argv("run", "--bundle", b, "one"),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT, cwd="/")
        equal((p.returncode, p.stdout, p.stderr), (0, b"5:6\n", b""), "chown")
        st = (u.rootfs / "file").stat()
        equal((st.st_uid, st.st_gid), (first + 4, first + 5), "the owner outside")


def test_rootless_in_user_namespace(t):
    """As rootless Podman calls it: root of a user namespace that others have made."""
    group = os.stat("/dev/kvm").st_gid if os.path.exists("/dev/kvm") else NOBODY
    with User(t) as u:
        b = u.bundle(["/bin/sh", "-c", "id -u; exit 4"])
        argv = u.argv("run", "--bundle", b, "one")
        at = argv.index("env")
        p = subprocess.run(argv[:at] + ["unshare", "--user", "--map-root-user", "--mount"] + argv[at:], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT, cwd="/")
        equal((p.returncode, p.stdout, p.stderr), (4, b"0\n", b""), f"group {group}")


def with_ids(config, first=200000):
    config["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": first, "size": 65536}]


def test_userns_files(t):
    """Files are owned by the container's ids, outside by what they are mapped to; those of others belong to nobody."""
    rootfs = t.tmp / "own"
    rootfs.mkdir()
    make_rootfs(rootfs, pathlib.Path(t.runsc).parent / "tests/oci/helper")
    subprocess.run(["chown", "-hR", "200000:200000", rootfs], check=True)
    (rootfs / "hosts").write_text("secret\n")
    os.chmod(rootfs / "hosts", 0o600)
    os.chmod(t.tmp, 0o755)
    for directfs in ("true", "false"):
        r = t.run_bundle(["/bin/sh", "-c", "stat -c %u:%g /bin /hosts; cat /hosts 2>/dev/null || echo refused; chown 0:0 /hosts 2>/dev/null || echo refused; "
                                           "echo x > /new; chown 5:6 /new; mkdir /dir; cat; stat -c %u:%g /new /dir; exit 7"],
                         with_ids, rootfs=rootfs, flags=[f"--directfs={directfs}"], stdin=b"in\n")
        equal((r.status, r.out), (7, "0:0\n65534:65534\nrefused\nrefused\nin\n5:6\n0:0\n", ), r.err)
        new, made = (rootfs / "new").stat(), (rootfs / "dir").stat()
        equal((new.st_uid, new.st_gid, made.st_uid, made.st_gid), (200005, 200006, 200000, 200000), "outside")
        (rootfs / "new").unlink()
        (rootfs / "dir").rmdir()


def test_userns_processes(t):
    """Neither the sandbox nor its gofer keeps an id of the host's."""
    name = t.start(change=with_ids)
    state = t.state_file(name)
    for key in ("sandboxPid", "goferPid"):
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{state[key]}/status") if ":\t" in line)
        equal((status["Uid"].split(), status["Gid"].split(), status["Groups"].split()), (["200000"] * 4, ["200000"] * 4, []), key)
        equal(os.readlink(f"/proc/{state[key]}/ns/user") != os.readlink("/proc/self/ns/user"), True, key)
    t.ok("delete", "--force", name)


def test_userns_refused(t):
    def only_maps(c):
        with_ids(c)
        c["linux"]["namespaces"].pop()
    def without_zero(c):
        with_ids(c)
        c["linux"]["uidMappings"][0]["containerID"] = 1
    def by_path(c):
        c["linux"]["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"})
    for change, word in ((only_maps, "user namespace"), (without_zero, "id 0"), (by_path, "joining")):
        r = t.run_bundle(["/bin/true"], change)
        check(r.status == 128 and word in r.err, r)
