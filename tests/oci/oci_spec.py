# SPDX-License-Identifier: Apache-2.0
"""Fields of config.json that a container can see the effect of."""
import os
import pathlib
import subprocess

from harness import check, contains, equal

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs/oci.md"


def sh(t, script, change=None, **kw):
    return t.run_bundle(["/bin/sh", "-c", script], change, **kw)


def linux(**kw):
    return lambda c: c["linux"].update(kw)


def process(**kw):
    return lambda c: c["process"].update(kw)


def test_spec_documented(t):
    """docs/oci.md holds the table of fields as the program has it."""
    table = t.ok("spec", "--fields").out
    contains(DOCS.read_text(), table, "docs/oci.md")


def test_spec_names(t):
    r = sh(t, "hostname; cat /proc/sys/kernel/domainname", lambda c: c.update(hostname="h1", domainname="d.example"))
    equal((r.status, r.out), (0, "h1\nd.example\n"), r.err)


def test_spec_masked_paths(t):
    masked = ["/proc/kcore", "/proc/meminfo", "/etc", "/none/such"]
    r = sh(t, "wc -c < /proc/meminfo; ls /etc | wc -l; touch /etc/x 2>&1; echo x > /proc/meminfo; echo $?", linux(maskedPaths=masked))
    equal(r.out, "0\n0\ntouch: /etc/x: Read-only file system\n0\n", r.err)


def test_spec_readonly_paths(t):
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    r = sh(t, "echo x > /proc/sys/vm/swappiness; echo x > /etc/new; echo ok > /mnt/new; cat /mnt/new; cat /etc/passwd | wc -l",
           linux(readonlyPaths=["/proc/sys", "/etc", "/none/such"]), rootfs=rootfs)
    equal(r.out, "ok\n2\n", r.err)
    equal(r.err.count("Read-only file system"), 2, r.err)


def test_spec_sysctl(t):
    r = sh(t, "cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn /proc/sys/kernel/domainname",
           linux(sysctl={"kernel.msgmax": "4096", "net.core.somaxconn": "77", "kernel.domainname": "dn"}, namespaces=[{"type": "network"}]))
    equal((r.status, r.out), (0, "4096\n77\ndn\n"), r.err)
    r = sh(t, "true", linux(sysctl={"kernel.no_such": "1"}))
    check(r.status == 128 and "kernel.no_such" in r.err, r)


def test_spec_devices(t):
    devices = [{"type": "c", "path": "/dev/my/null", "major": 1, "minor": 3, "fileMode": 0o620, "uid": 5, "gid": 6},
               {"type": "p", "path": "/dev/pipe", "fileMode": 0o600}, {"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229}]
    r = sh(t, "stat -c '%F %a %u %g %t %T' /dev/my/null; stat -c %F /dev/pipe; echo x > /dev/my/null && echo written; cat /dev/fuse 2>&1",
           linux(devices=devices))
    equal(r.out.splitlines()[:3], ["character special file 620 5 6 1 3", "fifo", "written"], r.err)
    check("No such device" in r.out, r)
    contains(r.err, "/dev/fuse", "warning")


def test_spec_scheduler(t):
    r = sh(t, "nice; cat /proc/self/stat | cut -d' ' -f 19", process(scheduler={"policy": "SCHED_OTHER", "nice": 7}))
    equal(r.out.splitlines()[-1], "7", r)
    r = sh(t, "cut -d' ' -f 40,41 /proc/self/stat", process(scheduler={"policy": "SCHED_RR", "priority": 5}, ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 0}))
    equal((r.status, r.out), (0, "5 2\n"), r.err)
    for bad in ({"policy": "SCHED_DEADLINE"}, {"policy": "SCHED_OTHER", "priority": 4}, {"policy": "SCHED_FIFO"}, {}):
        r = sh(t, "true", process(scheduler=bad))
        check(r.status == 128 and "process.scheduler" in r.err, r)


def test_spec_personality(t):
    r = sh(t, "uname -m; cat /proc/self/personality", linux(personality={"domain": "LINUX32"}))
    equal((r.status, r.out), (0, "i686\n00000008\n"), r.err)
    r = sh(t, "true", linux(personality={"domain": "BSD"}))
    check(r.status == 128 and "linux.personality" in r.err, r)


def test_spec_propagation(t):
    for p, shown in (("rshared", "shared:"), ("rprivate", "")):
        r = sh(t, "grep ' / / ' /proc/self/mountinfo", linux(rootfsPropagation=p))
        check(r.status == 0 and (shown in r.out) and (shown or "shared:" not in r.out), r)
    r = sh(t, "true", linux(rootfsPropagation="sideways"))
    check(r.status == 128 and "linux.rootfsPropagation" in r.err, r)


def test_spec_namespaces(t):
    r = sh(t, "true", linux(namespaces=[{"type": "pid"}, {"type": "pid"}]))
    check(r.status == 128 and "twice" in r.err, r)
    r = sh(t, "true", linux(namespaces=[{"type": "sky"}]))
    check(r.status == 128 and "sky" in r.err, r)
    for kind, path in (("pid", "/proc/self/ns/net"), ("network", "/proc/self/ns/ipc"), ("ipc", "/none/such"), ("uts", "/dev/null")):
        r = sh(t, "true", linux(namespaces=[{"type": kind, "path": path}]))
        check(r.status == 128 and path in r.err, r)
    r = sh(t, "grep ' /dev ' /proc/self/mountinfo")
    check(" - tmpfs tmpfs " in r.out, r)
    r = sh(t, "true", linux(namespaces=[{"type": "pid", "path": "/proc/self/ns/pid"}]))
    check(r.status == 0 and "not joined" in r.err, r)


def profile(default, *rules, **more):
    return linux(seccomp=dict({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                               "syscalls": [dict({"names": names, "action": action}, **rest) for names, action, rest in rules]}, **more))


def test_spec_seccomp(t):
    deny = profile("SCMP_ACT_ALLOW", (["mkdir", "mkdirat", "no_such_call"], "SCMP_ACT_ERRNO", {"errnoRet": 95}), (["sethostname"], "SCMP_ACT_ERRNO", {}))
    r = sh(t, "mkdir /tmp/x; hostname y; grep Seccomp /proc/self/status; echo end", deny)
    contains(r.err, "Operation not supported", "errnoRet")
    contains(r.err, "hostname", "the default error")
    check("Seccomp:\t2\n" in r.out and "end" in r.out, r)
    r = sh(t, "mkdir /tmp/x", profile("SCMP_ACT_ALLOW", (["mkdir", "mkdirat"], "SCMP_ACT_KILL_PROCESS", {})))
    equal(r.status, 128 + 31, r)
    # Of one argument: alternatives; of several: together.
    args = [{"index": 0, "value": 10, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 12, "op": "SCMP_CMP_EQ"}]
    r = sh(t, "kill -10 $$; kill -12 $$; true", profile("SCMP_ACT_ALLOW", (["kill"], "SCMP_ACT_ERRNO", {"args": [dict(a, index=1) for a in args], "errnoRet": 1})))
    equal((r.status, r.err.count("not permitted")), (0, 2), r)
    r = sh(t, "kill -10 $$; true", profile("SCMP_ACT_ALLOW", (["kill"], "SCMP_ACT_ERRNO", {"args": [{"index": 0, "value": 99, "op": "SCMP_CMP_EQ"},
                                                                                         {"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]})))
    equal(r.err.count("not permitted"), 0, r)


def test_spec_seccomp_exec(t):
    """A process of exec comes under the filter too."""
    name = t.start(["/bin/sleep", "1000"], profile("SCMP_ACT_ALLOW", (["mkdir", "mkdirat"], "SCMP_ACT_ERRNO", {"errnoRet": 95})))
    r = t.run("exec", name, "/bin/mkdir", "/tmp/x")
    check(r.status == 1 and "Operation not supported" in r.err, r)
    t.ok("delete", "--force", name)


def test_spec_seccomp_bad(t):
    for change, message in ((profile("SCMP_ACT_SMILE"), "defaultAction"), (profile("SCMP_ACT_NOTIFY"), "SCMP_ACT_NOTIFY"),
                            (profile("SCMP_ACT_ALLOW", (["kill"], "SCMP_ACT_ERRNO", {"args": [{"index": 9, "value": 0, "op": "SCMP_CMP_EQ"}]})), "index"),
                            (profile("SCMP_ACT_ALLOW", flags=["NO_FLAG"]), "NO_FLAG"), (profile("SCMP_ACT_ALLOW", listenerPath="/x"), "listenerPath")):
        r = sh(t, "true", change)
        check(r.status == 128 and "linux.seccomp" in r.err and message in r.err, r)


def test_spec_time_offsets(t):
    r = sh(t, "true", linux(timeOffsets={"monotonic": {"secs": 5}}))
    check(r.status == 128 and "linux.timeOffsets" in r.err, r)
    r = sh(t, "true", linux(timeOffsets={"monotonic": {"secs": 0}}))
    equal(r.status, 0, r)


def test_spec_tmpcopyup(t):
    rootfs = t.tmp / "root2"
    subprocess.run(["cp", "-a", t.rootfs, rootfs], check=True)
    (rootfs / "mnt/dir/deep").mkdir(parents=True)
    (rootfs / "mnt/dir/deep/file").write_bytes(b"x" * 100000)
    (rootfs / "mnt/dir").chmod(0o750)
    os.chown(rootfs / "mnt/dir", 11, 22)
    (rootfs / "mnt/link").symlink_to("dir/deep")
    for flags in ([], ["--overlay2=root:memory"]):
        r = sh(t, "stat -c '%a %u:%g' /mnt/dir; wc -c < /mnt/link/file; echo new > /mnt/new; rm -r /mnt/dir; ls /mnt",
               lambda c: c["mounts"].append({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "tmpcopyup", "size=1m"]}),
               rootfs=rootfs, flags=flags)
        equal((r.status, r.out), (0, "750 11:22\n100000\nlink\nnew\n"), r.err)
        check(not (rootfs / "mnt/new").exists() and (rootfs / "mnt/dir").exists(), "the host's directory was changed")
