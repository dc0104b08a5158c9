# SPDX-License-Identifier: Apache-2.0
"""--systemd-cgroup, against a manager of our own on a bus of our own: what it is told, and what runsc does with its answers."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess

from harness import TIMEOUT, Skip, check, equal, wait_for
from oci_cgroup import MIB, allowance, cgroups_of, needs_v1, value


def listens(path):
    """Not yet when its name is there."""
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == 0


@contextlib.contextmanager
def systemd(t, result="done"):
    """The environment in which runsc finds it, and a function that gives what it has printed."""
    if not shutil.which("dbus-daemon"):
        raise Skip("no dbus-daemon")
    name = t.new_id()
    path, log = t.tmp / f"{name}.bus", t.tmp / f"{name}.systemd"
    env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={path}"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    fake = None
    try:
        wait_for(lambda: listens(path), "the bus")
        with open(log, "wb") as out:
            fake = subprocess.Popen([pathlib.Path(t.runsc).parent / "tests/oci/fake_systemd", result], env=env, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out)
        wait_for(lambda: "ready" in log.read_text(), "systemd")
        yield env, log.read_text
    finally:
        for p in (fake, bus):
            if p:
                p.kill()
                p.wait()
        for f in (path, log):
            f.unlink(missing_ok=True)


def properties(text):
    """Name: value, of a dump of sd-bus."""
    found = re.findall(r'STRING "(\w+)";\s+VARIANT "[a-z]+" \{\s+(?:STRING|BOOLEAN|UINT64) ("[^"]*"|\w+);', text)
    return {name: v.strip('"') for name, v in found}


LIMITS = {"memory": {"limit": 64 * MIB}, "cpu": {"shares": 300, "quota": 50000, "period": 100000}, "pids": {"limit": 50}}


def start(t, env, path, resources=LIMITS, flags=("--systemd-cgroup",)):
    name = t.new_id()
    b = t.bundle(["/bin/sleep", "1000"], lambda c: c["linux"].update(cgroupsPath=path, resources=resources))
    with open(t.tmp / f"{name}.out", "wb") as out:
        p = subprocess.run(t.argv("run", "--detach", "--bundle", b, name, flags=flags), env=env, stdin=subprocess.DEVNULL, stdout=out,
                           stderr=out, timeout=TIMEOUT)
    return name, p.returncode



def test_systemd_scope(t):
    needs_v1("memory", "cpu", "pids")
    slice_name = f"{t.prefix.replace('-', '_')}.slice"
    with systemd(t) as (env, log):
        try:
            name, status = start(t, env, f"{slice_name}:box:one")
            equal(status, 0, t.output(name))
            state = t.state_file(name)
            check('Member=StartTransientUnit' in log() and 'STRING "box-one.scope"' in log(), log())
            got = properties(log())
            for key, want in {"Slice": slice_name, "Delegate": "true", "MemoryLimit": allowance(64 * MIB), "CPUShares": 300,
                              "CPUQuotaPerSecUSec": 500000}.items():
                equal(got.get(key), str(want), key)
            check(all(f"UINT32 {state[p]};" in log() for p in ("sandboxPid", "goferPid")), "PIDs")
            for p in ("sandboxPid", "goferPid"):
                check(all(c == f"/{slice_name}/box-one.scope" for c in cgroups_of(state[p])), f"in {cgroups_of(state[p])}")
            equal(int(value(t, name, "memory", "memory.limit_in_bytes")), allowance(64 * MIB), "the file")
            r = t.run("update", "--memory", "80m", name, env=env)
            equal(r.status, 0, r.err)
            check("Member=SetUnitProperties" in log(), log())
            equal(properties(log().split("SetUnitProperties")[1]).get("MemoryLimit"), str(allowance(80 * MIB)), "update")
            equal(int(value(t, name, "memory", "memory.limit_in_bytes")), allowance(80 * MIB), "the file")
            t.ok("delete", "--force", name)
            check(not list(pathlib.Path("/sys/fs/cgroup").glob(f"*/{slice_name}/box-one.scope")), "left")
        finally:
            t.run("delete", "--force", name)
            for top in pathlib.Path("/sys/fs/cgroup").glob(f"*/{slice_name}"):
                for d, _, _ in os.walk(top, topdown=False):
                    os.rmdir(d)


def test_systemd_refused(t):
    """A path in the wrong notation, no systemd, and one that refuses: nothing stays."""
    for path, flags, word in (("/plain", ["--systemd-cgroup"], "slice:prefix:name"), ("a.slice:b:c", [], "--systemd-cgroup"),
                              ("a.slice:b:c/d", ["--systemd-cgroup"], "names no slice"), ("a:b:c", ["--systemd-cgroup"], "names no slice")):
        name, status = start(t, os.environ, path, flags=flags)
        check(status == 128 and word in t.output(name), f"{path}: {t.output(name)}")
    name, status = start(t, {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}, "a.slice:b:c")
    check(status == 128 and "cannot reach systemd" in t.output(name), t.output(name))
    for result, word in (("failed", "could not start"), ("refused", "not allowed here")):
        with systemd(t, result) as (env, _):
            name, status = start(t, env, "a.slice:b:c")
            check(status == 128 and word in t.output(name), t.output(name))
