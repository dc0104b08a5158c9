# SPDX-License-Identifier: Apache-2.0
"""cgroups: made, joined by every process of the sandbox before the container runs, removed."""
import json
import os
import pathlib
import re
import subprocess

from harness import CGROUPS, TIMEOUT, Skip, alive, check, contains, equal, wait_for


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
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT)
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


def limited(t, resources, **kw):
    """A detached container with these resources; its name."""
    return t.start(change=lambda c: c["linux"].update(resources=resources, cgroupsPath=f"/{t.prefix}-res/x"), **kw)


def value(t, name, controller, file):
    """Of a file of the container's cgroup, as state.json says where that is."""
    cg = t.state_file(name)["cgroup"]
    for p in cg["paths"]:
        if cg["v2"] or controller in p["controllers"].split(","):
            return (pathlib.Path(p["path"]) / file).read_text().strip()
    raise Skip(f"no {controller} controller")


def needs_v1(*controllers):
    found = {o for m in open("/proc/self/mountinfo") if " - cgroup " in m for o in m.split()[-1].split(",")}
    for c in controllers:
        if c not in found:
            raise Skip(f"no {c} controller of cgroup v1")


MIB = 1 << 20


def allowance(limit):
    """As oci/cgroup_limits.h."""
    return limit + 48 * MIB + limit // 32


def test_cgroup_memory(t):
    needs_v1("memory")
    name = limited(t, {"memory": {"limit": 256 * MIB, "reservation": 128 * MIB, "swappiness": 7, "kernel": 1 << 40}})
    equal(int(value(t, name, "memory", "memory.limit_in_bytes")), allowance(256 * MIB), "limit")
    equal(int(value(t, name, "memory", "memory.soft_limit_in_bytes")), 128 * MIB, "reservation")
    equal(value(t, name, "memory", "memory.swappiness"), "7", "swappiness")
    t.ok("delete", "--force", name)
    name = limited(t, {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}})
    equal(int(value(t, name, "memory", "memory.memsw.limit_in_bytes")), allowance(96 * MIB), "memory and swap")
    t.ok("delete", "--force", name)
    name = limited(t, {"memory": {"limit": -1, "swap": -1}})
    check(int(value(t, name, "memory", "memory.limit_in_bytes")) > 1 << 60, "no limit")
    t.ok("delete", "--force", name)


def test_cgroup_cpu_and_pids(t):
    needs_v1("cpu", "cpuset", "pids")
    name = limited(t, {"cpu": {"shares": 512, "quota": 50000, "period": 50000, "burst": 1000, "cpus": "0", "mems": "0"},
                       "pids": {"limit": 20}})
    equal(value(t, name, "cpu", "cpu.shares"), "512", "shares")
    equal(value(t, name, "cpu", "cpu.cfs_period_us"), "50000", "period")
    equal(value(t, name, "cpu", "cpu.cfs_quota_us"), "50000", "quota")
    equal(value(t, name, "cpu", "cpu.cfs_burst_us"), "1000", "burst")
    equal(value(t, name, "cpuset", "cpuset.cpus"), "0", "cpus")
    check(int(value(t, name, "pids", "pids.max")) > 20, "room for the sandbox's threads")
    t.ok("delete", "--force", name)
    r = t.run_bundle(["/bin/sh", "-c", "grep -c ^processor /proc/cpuinfo"], lambda c: c["linux"].update(resources={"cpu": {"cpus": "0"}}))
    equal((r.status, r.out), (0, "1\n"), "CPUs that the container sees")


def test_cgroup_blkio(t):
    needs_v1("blkio")
    disk = next((d for d in sorted(os.listdir("/sys/block")) if os.path.exists(f"/sys/block/{d}/dev")), None)
    if not disk:
        raise Skip("no block device")
    major, minor = map(int, pathlib.Path(f"/sys/block/{disk}/dev").read_text().split(":"))
    rate = {"major": major, "minor": minor, "rate": 1000000}
    name = limited(t, {"blockIO": {"throttleReadBpsDevice": [rate], "throttleWriteIOPSDevice": [rate]}})
    equal(value(t, name, "blkio", "blkio.throttle.read_bps_device"), f"{major}:{minor} 1000000", "read rate")
    equal(value(t, name, "blkio", "blkio.throttle.write_iops_device"), f"{major}:{minor} 1000000", "write rate")
    t.ok("delete", "--force", name)


def test_cgroup_devices(t):
    """Everything denied but the usual ones and one more; the container's own devices work all the same."""
    needs_v1("devices")
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}]
    name = limited(t, {"devices": rules})
    got = value(t, name, "devices", "devices.list").splitlines()
    check("a *:* rwm" not in got and "c 10:229 rw" in got and "c 1:3 rwm" in got, f"{got}")
    t.ok("delete", "--force", name)
    r = t.run_bundle(["/bin/sh", "-c", "echo x > /dev/null && head -c 3 /dev/zero | wc -c"],
                     lambda c: c["linux"].update(resources={"devices": rules[:1]}))
    equal((r.status, r.out), (0, "3\n"), r.err)


def test_cgroup_resources_refused(t):
    """What cannot be had is one clear line, and nothing stays."""
    cases = [({"memory": {"limit": 1 * MIB}}, "memory.limit"), ({"memory": {"limit": "1g"}}, "memory.limit"),
             ({"memory": {"swappiness": 101}}, "swappiness"), ({"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}, "swap"),
             ({"cpu": {"quota": 1}}, "cpu.cfs_quota_us"), ({"cpu": {"cpus": "99999"}}, "cpuset.cpus"),
             ({"devices": [{"allow": True, "type": "z"}]}, "devices"), ({"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}, "hugetlb"),
             ({"pids": {"limit": 1.5}}, "pids.limit")]
    if os.path.exists("/sys/fs/cgroup/memory"):
        cases.append(({"unified": {"memory.high": "1"}}, "memory.high"))
    for resources, word in cases:
        r = t.run_bundle(["/bin/true"], lambda c: c["linux"].update(resources=resources))
        check(r.status == 128 and word in r.err, f"{resources}: {r}")
        equal(t.cgroups(), [], "left")


def test_cgroup_parent_shared(t):
    """Containers that come and go below one parent that its maker may remove at any moment: none is refused. The parent
    stays if its maker was not the last, as with runc, which never removes one."""
    names = [t.new_id() for _ in range(6)]
    bundles = [t.bundle(["/bin/true"], lambda c: c["linux"].update(cgroupsPath=f"/{t.prefix}-par/{n}")) for n in names]
    running = [t.popen("run", "--bundle", b, n) for b, n in zip(bundles, names)]
    for p in running:
        out, err = p.communicate(timeout=TIMEOUT)
        equal(p.returncode, 0, err)
    for h in hierarchies():
        parent = pathlib.Path(h) / f"{t.prefix}-par"
        if parent.exists():
            parent.rmdir()


def test_cgroup_shared(t):
    """Two containers in one cgroup: deleting the one that made it does nothing to the other, and leaves it."""
    path = f"/{t.prefix}-shared"
    first, second = (t.start(change=lambda c: c["linux"].update(cgroupsPath=path)) for _ in range(2))
    state = t.state_file(second)
    t.ok("delete", "--force", first)
    check(alive(state["sandboxPid"]) and alive(state["goferPid"]), "the other container's processes")
    equal(t.status_of(second), "running", "status")
    members = [int(x) for c in t.cgroups() for x in (c / "cgroup.procs").read_text().split()]
    check(state["sandboxPid"] in members, f"{state} {members}")
    t.ok("delete", "--force", second)
    for c in t.cgroups():
        c.rmdir()


def test_cgroup_oom_score(t):
    name = t.start(change=lambda c: c["process"].update(oomScoreAdj=321))
    state = t.state_file(name)
    for pid in state["sandboxPid"], state["goferPid"]:
        equal(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text(), "321\n", "oom_score_adj")
    t.ok("delete", "--force", name)


def test_cgroup_devices_v2(t):
    """The program that version 2 needs instead of a list: any cgroup of version 2 takes one, whatever its controllers."""
    with open("/proc/self/mountinfo") as f:
        kinds = [(line.split()[4], line.split(" - ")[1].split()[0]) for line in f]
    v1 = [m for m, kind in kinds if kind == "cgroup"]
    v2 = [m for m, kind in kinds if kind == "cgroup2"]
    if not v2:
        raise Skip("no cgroup2 file system is mounted")
    name = t.new_id()
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]
    b = t.bundle(["/bin/sleep", "1000"], lambda c: c["linux"].update(cgroupsPath=f"/{t.prefix}-dev/{name}", resources={"devices": rules}))
    hide = "".join(f"umount -l '{m}' && " for m in v1)
    with open(t.tmp / f"{name}.out", "wb") as out:
        p = subprocess.run(["unshare", "--mount", "sh", "-c", hide + 'exec "$@"', "sh"] + t.argv("run", "--detach", "--bundle", b, name),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT)
    equal(p.returncode, 0, t.output(name))
    procs = pathlib.Path(v2[0]) / f"{t.prefix}-dev" / name / "cgroup.procs"
    node = t.tmp / "node"
    for major, minor, mode, allowed in ((1, 3, os.O_RDWR, True), (1, 11, os.O_RDONLY, True), (1, 11, os.O_WRONLY, False),
                                        (10, 232, os.O_RDWR, False), (1, 4, os.O_RDONLY, False)):
        os.mknod(node, 0o20600, os.makedev(major, minor))
        pid = os.fork()
        if not pid:
            procs.write_text("0")
            try:
                os.close(os.open(node, mode))
            except OSError as e:
                os._exit(1 if e.errno == 1 else 0)
            os._exit(0)
        equal(os.waitpid(pid, 0)[1] == 0, allowed, f"{major}:{minor}")
        node.unlink()
    t.ok("delete", "--force", name)


CGROUP_MOUNT = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid", "noexec", "nodev"]}


def inside(t, resources, script):
    def change(c):
        c["linux"].update(resources=resources, cgroupsPath=f"/{t.prefix}-in/x")
        c["mounts"].append(CGROUP_MOUNT)
    return t.run_bundle(["/bin/sh", "-c", script], change)


def test_cgroup_seen_inside(t):
    """The container's own limits, in the layout of the host's version; nothing of the allowance for the sandbox."""
    v1 = any(" - cgroup " in m for m in open("/proc/self/mountinfo"))
    files = {"memory/memory.limit_in_bytes": 100 * MIB, "pids/pids.max": 33, "cpu/cpu.cfs_quota_us": 25000, "cpu/cpu.shares": 512,
             "cpu,cpuacct/cpu.cfs_period_us": 50000} if v1 else {"memory.max": 100 * MIB, "pids.max": 33, "cpu.max": "25000 50000"}
    resources = {"memory": {"limit": 100 * MIB}, "pids": {"limit": 33}, "cpu": {"quota": 25000, "period": 50000, "shares": 512}}
    r = inside(t, resources, f"cd /sys/fs/cgroup; cat {' '.join(files)}; grep MemTotal /proc/meminfo; cat /proc/self/cgroup; "
                             f"grep -c cgroup /proc/self/mountinfo; cat {'memory/' if v1 else ''}cgroup.procs; "
                             f"echo 1 2>/dev/null > {'memory/' if v1 else ''}cgroup.procs || echo refused; mkdir x 2>/dev/null || echo refused")
    equal(r.status, 0, r)
    lines = r.out.splitlines()
    equal(lines[:len(files)], [str(v) for v in files.values()], "limits")
    lines = lines[len(files):]
    equal(lines[0].split(), ["MemTotal:", str(100 * 1024), "kB"], "MemTotal")
    check("memory:/" in r.out if v1 else lines[1] == "0::/", r.out)
    check("1" in lines and lines[-2:] == ["refused", "refused"], r.out)


def test_cgroup_limits_enforced(t):
    """By the Sentry: a hog is killed, a bomb of processes stops, and the sandbox goes on."""
    r = inside(t, {"memory": {"limit": 40 * MIB}}, "helper hog 100 & wait $!; echo hog $?; helper hog 20 & sleep 0; echo goes on; kill $!")
    check(r.status == 0 and "hog 137" in r.out and "goes on" in r.out, r)
    r = inside(t, {"pids": {"limit": 12}}, "helper forks 50")
    check(r.status == 0 and r.out.startswith("11 "), r)


def test_cgroup_kernel_memory_counts(t):
    """What the Sentry keeps for the container (pipes' contents, here) cannot pass the limit by far."""
    needs_v1("memory")
    name = t.new_id()
    b = t.bundle(["/bin/helper", "pipes", "400"], lambda c: c["linux"].update(resources={"memory": {"limit": 64 * MIB}},
                                                                           cgroupsPath=f"/{t.prefix}-in/x"))
    r = t.run("run", "--bundle", b, name)
    check(r.status in (3, 137), r)


def test_cgroup_update(t):
    needs_v1("memory", "pids", "cpu")
    def change(c):
        c["linux"].update(resources={"memory": {"limit": 64 * MIB}, "pids": {"limit": 50}}, cgroupsPath=f"/{t.prefix}-up/x")
        c["mounts"].append(CGROUP_MOUNT)
    name = t.start(["/bin/sh", "-c", "while :; do usleep 10000; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max "
                                     "/sys/fs/cgroup/cpu/cpu.shares | tr '\\n' ' '; echo; done"], change=change)
    t.ok("update", "--resources=-", name, stdin=b'{"memory": {"limit": %d}, "cpu": {"shares": 300}}' % (96 * MIB))
    equal(int(value(t, name, "memory", "memory.limit_in_bytes")), allowance(96 * MIB), "on the host")
    equal(value(t, name, "cpu", "cpu.shares"), "300", "on the host")
    wait_for(lambda: f"\n{96 * MIB} 50 300 \n" in t.output(name), "seen inside")
    t.ok("update", "--memory", "80m", "--pids-limit", "60", "--cpuset-cpus", "0", name)
    wait_for(lambda: f"\n{80 * MIB} 60 300 \n" in t.output(name), "seen inside")
    r = t.run("update", "--memory", "1m", name)
    check(r.status != 0 and "memory.limit" in r.err, r)
    r = t.run("update", "--memory", "x", name)
    check(r.status != 0 and "--memory" in r.err, r)
    r = t.run("update", "--resources=-", name, stdin=b'{"cpu": {"quota": 5}}')
    check(r.status != 0 and "cpu.cfs_quota_us" in r.err, r)
    equal(int(value(t, name, "memory", "memory.limit_in_bytes")), allowance(80 * MIB), "unchanged")
    t.ok("kill", name, "KILL")
    wait_for(lambda: json.loads(t.ok("state", name).out)["status"] == "stopped", "stopped")
    r = t.run("update", "--memory", "80m", name)
    check(r.status != 0 and "container not running" in r.err, r)
    t.ok("delete", name)
    r = t.run("update", "--memory", "80m", name)
    check(r.status != 0 and "does not exist" in r.err, r)


def test_cgroup_oom_event(t):
    """The Sentry's OOM killer shows in the container's cgroup as the kernel's would; the container goes on and so does its limit."""
    needs_v1("memory")
    name = t.start(["/bin/sh", "-c", "helper hog 100; echo status $?; helper hog 100; echo status $?; sleep 1000"],
                   change=lambda c: c["linux"].update(resources={"memory": {"limit": 48 * MIB}}, cgroupsPath=f"/{t.prefix}-oom/x"))
    limit = value(t, name, "memory", "memory.limit_in_bytes")
    cg = next(pathlib.Path(p["path"]) for p in t.state_file(name)["cgroup"]["paths"] if "memory" in p["controllers"])
    wait_for(lambda: t.output(name).count("status 137") == 2, "both hogs killed")
    events = dict(line.split() for line in (cg / "memory.oom_control").read_text().splitlines())
    equal(int(events["oom_kill"]), 2, "kills that the cgroup shows")
    equal(value(t, name, "memory", "memory.limit_in_bytes"), limit, "limit")
    check(alive(t.state_file(name)["sandboxPid"]) and alive(t.state_file(name)["goferPid"]), "the sandbox lives")
    t.ok("delete", "--force", name)


def test_cgroup_oom_event_of_init(t):
    """When init itself is the victim, the event is there before the container ends."""
    needs_v1("memory")
    parent = pathlib.Path("/sys/fs/cgroup/memory") / f"{t.prefix}-kept"
    parent.mkdir()
    try:
        name = t.new_id()
        b = t.bundle(["/bin/sh", "-c", "exec helper hog 200"],
                     lambda c: c["linux"].update(resources={"memory": {"limit": 48 * MIB}}, cgroupsPath=f"/{t.prefix}-kept/x"))
        with open(t.tmp / f"{name}.out", "wb") as out:
            p = subprocess.run(t.argv("create", "--bundle", b, name), stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=TIMEOUT)
        equal(p.returncode, 0, t.output(name))
        event = os.eventfd(0, os.EFD_NONBLOCK)
        cg = parent / "x"
        with open(cg / "memory.oom_control") as f:
            (cg / "cgroup.event_control").write_text(f"{event} {f.fileno()}")
            t.ok("start", name)
            wait_for(lambda: json.loads(t.ok("state", name).out)["status"] == "stopped", "stopped")
            check(os.eventfd_read(event) >= 1, "no event")
        os.close(event)
        t.ok("delete", name)
    finally:
        for d in [parent / "x", parent]:
            if d.exists():
                d.rmdir()
        for h in hierarchies():
            d = pathlib.Path(h) / f"{t.prefix}-kept"
            if d.exists():
                d.rmdir()
