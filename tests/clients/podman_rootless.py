# SPDX-License-Identifier: Apache-2.0
"""Podman as an ordinary user, made for this test and removed after it."""
import contextlib
import grp
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from engine import kill_all, ok, run, tar
from harness import Skip, alive, check, equal

USER = "runsc-rootless"


@contextlib.contextmanager
def user():
    if not shutil.which("newuidmap"):
        raise Skip("no newuidmap (package uidmap)")
    ok(["useradd", "-M", "-d", "/nonexistent", USER])
    groups = [g for g in ("kvm",) if any(x.gr_name == g for x in grp.getgrall())]
    try:
        if groups:
            ok(["usermod", "-a", "-G", ",".join(groups), USER])
        yield pwd.getpwnam(USER)
    finally:
        kill_all(lambda: processes(pwd.getpwnam(USER).pw_uid))  # Podman's pause process stays, and what cleans up behind a container
        run(["userdel", "-f", USER])


def processes(uid):
    found = []
    for p in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if p.isdigit() and os.stat(f"/proc/{p}").st_uid == uid and alive(int(p)):
                found.append(int(p))
    return found


def test_rootless(t):
    with tempfile.TemporaryDirectory(prefix="runsc-rootless-") as home, user() as u:
        os.chown(home, u.pw_uid, u.pw_gid)
        env = {"HOME": home, "XDG_RUNTIME_DIR": f"{home}/run", "PATH": os.environ["PATH"], "CONTAINERS_CONF": f"{home}/containers.conf"}
        conf = pathlib.Path(env["CONTAINERS_CONF"])
        conf.write_text(pathlib.Path(t.engine.env["CONTAINERS_CONF"]).read_text())
        conf.chmod(0o644)
        os.mkdir(f"{home}/run", 0o700)
        os.chown(f"{home}/run", u.pw_uid, u.pw_gid)
        program, flags = t.engine.runtimes[t.runtime]
        shutil.copy(shutil.which(program), f"{home}/runtime")  # a build directory need not be open to others
        os.chmod(f"{home}/runtime", 0o755)

        def podman(*args, **kw):
            argv = ["setpriv", "--reuid", str(u.pw_uid), "--regid", str(u.pw_gid), "--init-groups", "podman", "--root", f"{home}/storage",
                    "--runroot", f"{home}/run/storage", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime",
                    f"{home}/runtime", *[f"--runtime-flag={f.removeprefix('--')}" for f in flags], *args]
            return run(argv, env=env, cwd=home, **kw)

        r = podman("import", "-", "box", stdin=tar(t.engine.images["box"][0]))
        if r.status and t.runtime == "runc":
            raise Skip(f"Podman does not run without root here: {r.err.strip()}")
        check(r.status == 0, f"podman import: {r}")
        try:
            r = podman("run", "--rm", "box", "sh", "-c", "id -u; touch /new; stat -c %u /new; exit 3")
            if r.status == 126 and t.runtime == "runc":
                raise Skip(f"runc does not run without root here: {r.err.strip()}")
            equal((r.status, r.out), (3, "0\n0\n"), f"a container of an ordinary user ({r.err})")
            r = podman("run", "-d", "--name", "one", "box", "sleep", "1000")
            equal(r.status, 0, f"a detached one ({r.err})")
            equal(podman("exec", "-u", "1000", "one", "id", "-u").out, "1000\n", "exec as another user")
            equal(podman("rm", "-f", "-t", "0", "one").status, 0, "removed")
        finally:
            podman("system", "reset", "-f")
            for m in reversed([line.split()[4] for line in open("/proc/self/mountinfo") if home in line.split()[4]]):
                subprocess.run(["umount", "-l", m], stderr=subprocess.DEVNULL)


test_rootless.alone = True
