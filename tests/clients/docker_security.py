# SPDX-License-Identifier: Apache-2.0
"""Capabilities, seccomp profiles, no-new-privileges, masked and read-only paths."""
import json

from harness import check, contains, equal


def status(t, *opts, user=None):
    out = t.run_out("cat", "/proc/self/status", opts=[*opts, *(["--user", user] if user else [])])
    return dict(line.split(":\t", 1) for line in out.splitlines() if ":\t" in line)


def test_capabilities(t):
    s = status(t)
    equal((s["CapEff"], s["CapBnd"], s["CapInh"]), ("00000000a80425fb", "00000000a80425fb", "0000000000000000"), "Docker's default set")
    s = status(t, "--cap-drop", "ALL")
    equal((s["CapEff"], s["CapBnd"]), ("0000000000000000",) * 2, "--cap-drop ALL")
    s = status(t, "--cap-drop", "ALL", "--cap-add", "CHOWN")
    equal((s["CapEff"], s["CapBnd"]), ("0000000000000001",) * 2, "--cap-add CHOWN")
    s = status(t, user="1000")
    equal((s["CapEff"], s["CapBnd"]), ("0000000000000000", "00000000a80425fb"), "an ordinary user")
    r = t.sh("chown 1000 /tmp", opts=["--cap-drop", "ALL"])
    check(r.status != 0 and "Operation not permitted" in r.err, f"chown without CAP_CHOWN: {r}")


def test_seccomp(t):
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
               "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
                            {"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    (t.tmp / "profile.json").write_text(json.dumps(profile))
    opts = ["--security-opt", f"seccomp={t.tmp}/profile.json"]
    r = t.sh("mkdir /tmp/d; grep Seccomp: /proc/self/status", opts=opts)
    contains(r.err, "not supported", "mkdir by the profile")
    equal(r.out.split(), ["Seccomp:", "2"], "status")
    equal(t.sh("ln -s a /tmp/b; echo $?", opts=opts).out.split()[-1], "159", "symlink by the profile")
    r = t.sh("unshare -m true; grep Seccomp: /proc/self/status")
    equal(r.out.split(), ["Seccomp:", "2"], "the default profile is in force")
    contains(r.err, "Operation not permitted", "unshare by the default profile")
    equal(t.sh_out("grep Seccomp: /proc/self/status", opts=["--security-opt", "seccomp=unconfined"]).split()[1], "0", "unconfined")


def test_no_new_privileges(t):
    s = status(t, "--security-opt", "no-new-privileges")
    equal(s["NoNewPrivs"], "1", "NoNewPrivs")
    equal(status(t)["NoNewPrivs"], "0", "NoNewPrivs by default")


def test_masked_paths(t):
    r = t.sh("cat /proc/timer_list /proc/keys | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -c '^[a-z]'; echo 1 > /proc/sys/kernel/hostname")
    equal(r.out.split(), ["0", "0"], "masked")
    contains(r.err, "Read-only file system", "/proc/sys")


def test_isolation(t):
    """Nothing of the host's processes, mounts or name is seen."""
    # The shell is process 1: a pipeline would add its own descriptors now and then.
    out = t.sh_out("ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm; awk '{print $5}' /proc/self/mountinfo | head -1; "
                   "set -- /proc/1/fd/*; echo $#").split()
    check(int(out[0]) <= 6, f"processes: {out[0]}")
    equal(out[1:3], ["sh", "/"], "process 1 and the first mount")
    check(int(out[3]) <= 4, f"descriptors of process 1: {out[3]}")
