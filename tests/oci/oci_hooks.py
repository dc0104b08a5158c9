# SPDX-License-Identifier: Apache-2.0
"""Hooks of config.json: order, place, state on standard input, failures, timeouts."""
import json
import os

from harness import check, children, contains, create, equal, reap, wait_for


def script(t, name, text):
    path = t.tmp / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def logging_hooks(t, kinds=("prestart", "createRuntime", "createContainer", "poststart", "poststop")):
    """One hook per kind that appends its name, first argument and the state's JSON to a log."""
    path = script(t, "hook", f'echo "$1 $(cat)" >> {t.tmp}/hooks.log\n')
    return {k: [{"path": path, "args": ["hook", k]}] for k in kinds}


def hook_log(t):
    path = t.tmp / "hooks.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line.split(" ", 1)[0], json.loads(line.split(" ", 1)[1])) for line in lines]


def test_hooks_order(t):
    name, pid = create(t, ["/bin/true"], lambda c: c.update(hooks=logging_hooks(t), annotations={"a": "b"}))
    kinds = ["prestart", "createRuntime", "createContainer"]
    equal([k for k, _ in hook_log(t)], kinds, "hooks of create")
    for _, state in hook_log(t):
        equal((state["id"], state["status"], state["pid"], state["annotations"]), (name, "creating", pid, {"a": "b"}), "state")
        check(os.path.isfile(state["bundle"] + "/config.json"), "the state names the bundle")
    t.ok("start", name)
    equal([(k, s["status"]) for k, s in hook_log(t)[3:]], [("poststart", "running")], "hooks of start")
    equal(reap(pid), 0, "status")
    t.ok("delete", name)
    equal([(k, s["status"], s["pid"]) for k, s in hook_log(t)[4:]], [("poststop", "stopped", 0)], "hooks of delete")


def test_hooks_run(t):
    r = t.run_bundle(["/bin/sh", "-c", "exit 3"], lambda c: c.update(hooks=logging_hooks(t)))
    equal(r.status, 3, r.err)
    equal([k for k, _ in hook_log(t)], ["prestart", "createRuntime", "createContainer", "poststart", "poststop"], "order")


def test_hooks_namespaces(t):
    """The first run outside, but can reach the sandbox's namespaces; createContainer runs in the container's."""
    out = t.tmp / "out"
    where = "readlink /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/uts"
    run = script(t, "outside", f'pid=$(sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/"); {{ {where}; readlink /proc/$pid/ns/net; }} > {out}.runtime\n')
    inside = script(t, "inside", f"{where} > {out}.container\nmount -t tmpfs hook {t.tmp}/root2/mnt && echo made > {t.tmp}/root2/mnt/file\n")
    rootfs = t.tmp / "root2"
    os.system(f"cp -a {t.rootfs} {rootfs}")

    def change(c):
        c["hooks"] = {"createRuntime": [{"path": run}], "createContainer": [{"path": inside}]}
        c["linux"]["namespaces"].append({"type": "network"})
    r = t.run_bundle(["/bin/cat", "/mnt/file"], change, rootfs=rootfs)
    equal((r.status, r.out), (0, "made\n"), f"a mount of createContainer: {r}")
    runtime, container = ((t.tmp / f"out.{n}").read_text().split() for n in ("runtime", "container"))
    own = [os.readlink(f"/proc/self/ns/{n}") for n in ("mnt", "net", "uts")]
    equal(runtime[:3], own, "namespaces of createRuntime")
    check(runtime[3] != own[1], "the sandbox's network namespace is runsc's")
    check(not set(container) & set(own), f"createContainer runs in {container}, outside is {own}")
    equal(container[1], runtime[3], "network namespace of createContainer")
    check(not (rootfs / "mnt/file").exists(), "the mount shows outside")


def test_hooks_failure(t):
    """A hook that fails: an error with its output, everything undone, poststop runs."""
    for kind in ("prestart", "createRuntime", "createContainer"):
        hooks = {**logging_hooks(t, ["poststop"]), kind: [{"path": script(t, "bad", "echo no such luck >&2; exit 7\n")}]}
        r = t.run("create", "--bundle", t.bundle(["/bin/true"], lambda c: c.update(hooks=hooks)), t.new_id())
        check(r.status == 128 and kind in r.err and "status 7" in r.err and "no such luck" in r.err, r)
        t.expect_clean()
        equal([k for k, _ in hook_log(t)], ["poststop"], f"after {kind} failed")
        (t.tmp / "hooks.log").unlink()


def test_hooks_poststart_failure(t):
    hooks = {"poststart": [{"path": script(t, "bad", "exit 1\n")}]}
    name, pid = create(t, ["/bin/sleep", "1000"], lambda c: c.update(hooks=hooks))
    r = t.run("start", name)
    check(r.status == 128 and "poststart" in r.err, r)
    reap(pid)
    equal(t.status_of(name), "stopped", "status")
    t.ok("delete", name)


def test_hooks_poststop_failure(t):
    """A failure of poststop is a warning, and the others still run."""
    hooks = {"poststop": [{"path": "/bin/false"}, {"path": script(t, "second", f"echo ran > {t.tmp}/second.out\n")}]}
    r = t.run_bundle(["/bin/true"], lambda c: c.update(hooks=hooks))
    check(r.status == 0 and "poststop[0]" in r.err and (t.tmp / "second.out").exists(), r)


def test_hooks_timeout(t):
    hooks = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
    r = t.run_bundle(["/bin/true"], lambda c: c.update(hooks=hooks))
    check(r.status == 128 and "timed out" in r.err, r)


def test_hooks_env(t):
    path = script(t, "env", f"env | grep -v '^PWD=\\|^SHLVL=\\|^_=' > {t.tmp}/env.out\n")
    t.run_bundle(["/bin/true"], lambda c: c.update(hooks={"prestart": [{"path": path, "env": ["A=1", "B=two words"]}]}))
    equal((t.tmp / "env.out").read_text(), "A=1\nB=two words\n", "environment")


def test_hooks_start_container(t):
    """startContainer: inside, before the program, as often as given."""
    rootfs = t.tmp / "root2"
    os.system(f"cp -a {t.rootfs} {rootfs}")
    inside = rootfs / "bin/hook"
    inside.write_text('#!/bin/sh\nread state\necho "$0 $1 $VAR $(id -u) $(hostname) $state" >> /root/log\n')
    inside.chmod(0o755)
    hooks = {"startContainer": [{"path": "/bin/hook", "args": ["hook", "one"], "env": ["VAR=v", "PATH=/bin"]}, {"path": "/bin/hook"}]}
    name, pid = create(t, ["/bin/cat", "/root/log"], lambda c: c.update(hooks=hooks), rootfs=rootfs)
    check(not (rootfs / "root/log").exists(), "the hook ran at create")
    t.ok("start", name)
    equal(reap(pid), 0, "status")
    lines = t.output(name).splitlines()
    check(len(lines) == 2 and lines[0].startswith("/bin/hook one v 0 box {") and lines[1].startswith("/bin/hook   0 box {"), lines)
    contains(lines[0], '"status":"created"', "state")
    t.ok("delete", name)
    for bad, message in (({"path": "/bin/false"}, "status 1"), ({"path": "/bin/none"}, "/bin/none"), ({"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}, "startContainer")):
        name, pid = create(t, ["/bin/sleep", "1000"], lambda c: c.update(hooks={"startContainer": [bad]}), rootfs=rootfs)
        r = t.run("start", name)
        check(r.status == 128 and "startContainer" in r.err and message in r.err, r)
        reap(pid)
        t.ok("delete", name)
    r = t.run_bundle(["/bin/cat", "/root/log"], lambda c: c.update(hooks=hooks), rootfs=rootfs)
    check(r.status == 0 and r.out.count("hook") == 4, r)


def test_hooks_bad(t):
    for hooks, message in (({"prestart": [{"path": "relative"}]}, "hooks.prestart[0].path"), ({"poststop": [{}]}, "hooks.poststop[0].path"),
                           ({"poststart": {}}, "hooks.poststart"), ({"createRuntime": [{"path": "/x", "timeout": 0}]}, "timeout"),
                           ({"prestart": [{"path": "/nowhere/to/be/found"}]}, "/nowhere/to/be/found")):
        r = t.run_bundle(["/bin/true"], lambda c: c.update(hooks=hooks))
        check(r.status == 128, r)
        contains(r.err, message, "message")
