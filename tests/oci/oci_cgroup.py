# SPDX-License-Identifier: Apache-2.0
"""cgroups: made, joined by every process of the sandbox before the container runs, removed."""
import os
import pathlib
import re
import subprocess

from harness import CGROUPS, Skip, check, contains, equal, wait_for


def hierarchies():
    """Mount points of the hierarchies that runsc uses."""
    v1, v2 = [], []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            mount, kind = line.split()[4], line.split(" - ")[1].split()[0]
            if kind == "cgroup":
                v1.append(mount)
            elif kind == "cgroup2":
                v2.append(mount)
    if not v1 and not v2:
        raise Skip("no cgroup file system is mounted")
    return v1 or v2[:1]


def cgroups_of(pid):
    with open(f"/proc/{pid}/cgroup") as f:
        return [line.rstrip("\n").split(":", 2)[2] for line in f if not line.startswith("0::") or len(hierarchies()) == 1]


def test_cgroup_default(t):
    paths = hierarchies()
    name = t.start()
    state = t.state_file(name)
    equal(len(t.cgroups()), len(paths), "directories named by the id")
    for pid in [state["sandboxPid"], state["goferPid"]] + descendants(state["sandboxPid"]):
        check(all(c.endswith("/" + name) for c in cgroups_of(pid)), f"{pid} is in {cgroups_of(pid)}")
    t.ok("delete", "--force", name)
    equal(t.cgroups(), [], "left")


def descendants(pid):
    out = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/children") as f:
            for child in f.read().split():
                out += [int(child)] + descendants(int(child))
    return out


def test_cgroup_path(t):
    paths = hierarchies()
    for wanted, tail in ((f"/{t.prefix}-abs/in/ner", f"/{t.prefix}-abs/in/ner"), (f"{t.prefix}-rel/x", f"/{t.prefix}-rel/x")):
        name = t.start(change=lambda c: c["linux"].update(cgroupsPath=wanted))
        where = cgroups_of(t.state_file(name)["sandboxPid"])
        check(all(c.endswith(tail) for c in where), f"in {where}")
        if wanted.startswith("/"):
            for p in paths:
                check(any(d.endswith(tail) for d, _, _ in os.walk(p)), f"no {tail} in {p}")
        t.ok("delete", "--force", name)
        t.expect_clean()


def test_cgroup_existing(t):
    """A cgroup that was there before stays."""
    parent = f"{t.prefix}-kept"
    made = [pathlib.Path(p) / parent for p in hierarchies()]
    for m in made:
        m.mkdir()
        for f in ("cpuset.cpus", "cpuset.mems"):
            if (m / f).exists() and not (m / f).read_text().strip():
                (m / f).write_text((m.parent / f).read_text())
    try:
        r = t.run_bundle(["/bin/true"], lambda c: c["linux"].update(cgroupsPath=f"/{parent}/child"))
        equal(r.status, 0, r.err)
        check(all(m.exists() for m in made), "the parent was removed")
        check(not any((m / "child").exists() for m in made), "the child stays")
        r = t.run_bundle(["/bin/true"], lambda c: c["linux"].update(cgroupsPath=f"/{parent}"))
        equal(r.status, 0, r.err)
        check(all(m.exists() for m in made), "the cgroup itself was removed")
    finally:
        for m in made:
            m.rmdir()


def test_cgroup_v2(t):
    """Where no hierarchy of version 1 is mounted, the unified one is used."""
    with open("/proc/self/mountinfo") as f:
        kinds = [(line.split()[4], line.split(" - ")[1].split()[0]) for line in f]
    v1 = [m for m, kind in kinds if kind == "cgroup"]
    v2 = [m for m, kind in kinds if kind == "cgroup2"]
    if not v2:
        raise Skip("no cgroup2 file system is mounted")
    name = t.new_id()
    b = t.bundle(["/bin/sleep", "1000"], lambda c: c["linux"].update(cgroupsPath=f"/{t.prefix}-two/{name}"))
    hide = "".join(f"umount -l '{m}' && " for m in v1)
    with open(t.tmp / f"{name}.out", "wb") as out:
        p = subprocess.run(["unshare", "--mount", "sh", "-c", hide + 'exec "$@"', "sh"] + t.argv("run", "--detach", "--bundle", b, name),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=40)
    equal(p.returncode, 0, t.output(name))
    members = [int(x) for x in (pathlib.Path(v2[0]) / f"{t.prefix}-two" / name / "cgroup.procs").read_text().split()]
    state = t.state_file(name)
    check(state["sandboxPid"] in members and state["goferPid"] in members, f"{members} {state}")
    equal([c for c in t.cgroups() if not str(c).startswith(v2[0])], [], "hierarchies of version 1")
    t.ok("delete", "--force", name)


def test_cgroup_ignored(t):
    name = t.start(flags=["--ignore-cgroups"])
    equal(t.cgroups(), [], "cgroups")
    t.ok("delete", "--force", name)


def test_cgroup_joined_before_start(t):
    """The memory that the container uses from its first moment is charged to its cgroup."""
    memory = [p for p in hierarchies() if os.path.exists(f"{p}/memory.usage_in_bytes")]
    if not memory:
        raise Skip("no memory controller of cgroup v1")
    name = t.start(["/bin/helper", "hog", "40"])
    wait_for(lambda: "touched\n" in t.output(name), "touched")
    usage = [int((c / "memory.usage_in_bytes").read_text()) for c in t.cgroups() if str(c).startswith(memory[0])]
    check(usage and usage[0] > 40 << 20, f"charged: {usage}")
    t.ok("delete", "--force", name)


def test_cgroup_refused(t):
    """A cgroup that cannot be made is an error that names it and the way around."""
    wanted = "/" + "x" * 5000
    r = t.run_bundle(["/bin/true"], lambda c: c["linux"].update(cgroupsPath=wanted))
    check(r.status == 128 and "cgroups" in r.err and "--ignore-cgroups" in r.err, r)
