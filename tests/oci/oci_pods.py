# SPDX-License-Identifier: Apache-2.0
"""Several containers in one sandbox, as CRI's annotations ask for them."""
import json
import os
import signal
import subprocess
import time

from harness import TIMEOUT, alive, await_answer, check, contains, equal, finish, wait_for
from oci_exec import console, descriptors, detached, inside, status_of_proxy
from oci_terminal import read_master, receive_master

LOOP = "trap 'exit 4' TERM; sleep 2000 & echo ready; wait"  # two processes, from first to last
CRI = ("io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id")
CRIO = ("io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID")


def member(pod, change=None, keys=CRI, kind="container"):
    """What makes a config that of a container in a pod."""
    def edit(c):
        c["annotations"] = {keys[0]: kind, keys[1]: pod}
        c["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}] + [
            {"type": k} if kind == "sandbox" else {"type": k, "path": "/proc/self/ns/" + k} for k in ("ipc", "uts")]
        if change:
            change(c)
    return edit


def pause(t, **kw):
    name = f"{t.prefix}-{t.count + 1}"
    equal(t.start(change=member(name, kind="sandbox", **kw)), name, "pod")
    return name


def join(t, pod, args=("/bin/sh", "-c", LOOP), change=None, **kw):
    name = t.start(args, member(pod, change, **kw))
    if LOOP in args:
        wait_for(lambda: "ready\n" in t.output(name), "ready")
    return name


def pid_of(t, name):
    return int((t.tmp / f"{name}.pid").read_text())


def end(t, *names):
    t.ok("delete", "--force", *names)


def test_pod(t):
    """Own processes and mounts, one network, host name and System V IPC; lives of their own."""
    pod = pause(t)
    equal(t.ok("exec", "--cap", "CAP_SYS_ADMIN", pod, "/bin/sh", "-c", "echo shared > /tmp/x; hostname changed; set -- /proc/[0-9]*; echo $#").out, "2\n", "in the pod")
    a = join(t, pod)
    b = join(t, pod, keys=CRIO)
    equal(t.state_file(a)["goferPid"] != t.state_file(b)["goferPid"], True, "gofers")
    for name in (a, b):
        equal(t.status_of(name), "running", "status")
        r = t.ok("exec", name, "/bin/sh", "-c", "ls /tmp; hostname; cat /proc/1/comm; busybox readlink /proc/self/ns/net")
        lines = r.out.split("\n")
        equal(lines[:2], ["changed", "sh"], "its own mounts and pids, the pod's host name")
        equal(lines[2], t.ok("exec", pod, "/bin/busybox", "readlink", "/proc/self/ns/net").out.strip(), "network")
        check(alive(pid_of(t, name)), "its proxy")
        equal(json.loads(t.ok("ps", "-f", "json", name).out), [pid_of(t, name)], "ps")
    equal([len(inside(t, n)) for n in (pod, a)], [1, 2], "processes")
    # A signal to the proxy, the end of one container.
    os.kill(pid_of(t, a), signal.SIGTERM)
    equal(status_of_proxy(pid_of(t, a)), 4, "status")
    t.wait_status(a, "stopped")
    equal([t.status_of(n) for n in (pod, b)], ["running", "running"], "the others")
    t.ok("delete", a)
    t.ok("kill", b, "TERM")
    equal(status_of_proxy(pid_of(t, b)), 4, "status")
    t.ok("delete", b)
    end(t, pod)


def created(t, bundle, name):
    p = subprocess.run(t.argv("create", "--bundle", bundle, name), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=TIMEOUT)
    equal(p.returncode, 0, "create")


def test_pod_create_start(t):
    pod = pause(t)
    name = t.new_id()
    b = t.bundle(["/bin/sh", "-c", "echo ran; exit 6"], member(pod))
    out = open(t.tmp / "out", "wb")
    p = subprocess.run(t.argv("create", "--bundle", b, "--pid-file", t.tmp / f"{name}.pid", name), stdin=subprocess.DEVNULL,
                       stdout=out, stderr=out, timeout=TIMEOUT)
    equal((p.returncode, t.status_of(name), (t.tmp / "out").read_text()), (0, "created", ""), "created")
    t.ok("start", name)
    equal(status_of_proxy(pid_of(t, name)), 6, "status")
    equal((t.tmp / "out").read_text(), "ran\n", "output")
    check(t.run("start", name).status != 0, "starting twice")
    t.ok("delete", name)
    # In the foreground, and one that was never started.
    r = t.run("run", "--bundle", t.bundle(["/bin/sh", "-c", "cat; exit 3"], member(pod)), t.new_id(), stdin=b"in\n")
    equal((r.status, r.out), (3, "in\n"), "run")
    created(t, b, name)
    t.ok("delete", "--force", name)
    created(t, b, name)
    t.ok("kill", name, "KILL")
    t.wait_status(name, "stopped")
    t.ok("delete", name)
    end(t, pod)


def test_pod_errors(t):
    pod = pause(t)
    for args, change, text in ((["/bin/nothing"], None, "/bin/nothing"), (["nothing"], None, "executable file not found in $PATH"),
                               (["/bin/true"], lambda c: c["process"].update(cwd="/etc/passwd"), "process.cwd"),
                               (["/bin/true"], lambda c: c["mounts"].append({"destination": "/x", "type": "bind", "source": "/nowhere"}), "/nowhere")):
        name = t.new_id()
        r = t.run("create", "--bundle", t.bundle(args, member(pod, change)), name)
        equal(r.status, 128, text)
        contains(r.err, text, "message")
        check(not (t.state / name).exists(), "state left behind")
    r = t.run("create", "--bundle", t.bundle(["/bin/true"], member("nobody")), t.new_id())
    equal(r.status, 128, "no such sandbox")
    contains(r.err, "does not exist", "no such sandbox")
    a = join(t, pod)
    r = t.run("create", "--bundle", t.bundle(["/bin/true"], member(a)), t.new_id())
    contains(r.err, "in the sandbox of", "a container is no sandbox")
    r = t.run("create", "--bundle", t.bundle(["/bin/true"], member(pod)), a)
    contains(r.err, "exists already", "twice")
    end(t, a, pod)


def test_pod_ends_with_its_first(t):
    for how in ("kill", "crash", "delete"):
        pod = pause(t)
        names = [join(t, pod) for _ in range(3)]
        proxy = detached(t, names[0], "/bin/sleep", "1000")
        if how == "kill":
            t.ok("kill", pod, "KILL")
        elif how == "crash":
            os.kill(t.state_file(pod)["sandboxPid"], signal.SIGKILL)
        else:
            end(t, pod)
        equal([status_of_proxy(pid_of(t, n)) for n in names] + [status_of_proxy(proxy)], [137] * 4, how)
        for n in names:
            t.wait_status(n, "stopped")
            t.ok("delete", n)
        if how != "delete":
            t.ok("delete", pod)


def test_pod_container_killed_with_proxy(t):
    pod = pause(t)
    a = join(t, pod)
    b = join(t, pod)
    os.kill(pid_of(t, a), signal.SIGKILL)
    os.waitpid(pid_of(t, a), 0)
    t.wait_status(a, "stopped")
    r = t.run("exec", a, "/bin/true")
    equal(r.status, 255, "exec")
    t.ok("delete", a)
    equal(len(inside(t, b)), 2, "the other one")
    # The gofer of one: that container suffers, no other.
    os.kill(t.state_file(b)["goferPid"], signal.SIGKILL)
    equal(t.ok("exec", pod, "/bin/echo", "x").out, "x\n", "the pod")
    end(t, b, pod)


def test_pod_pause_one(t):
    pod = pause(t)
    a = join(t, pod, ("/bin/sh", "-c", "while :; do :; done"))
    t.ok("pause", a)
    equal([t.status_of(n) for n in (pod, a)], ["running", "paused"], "status")
    equal(t.ok("exec", pod, "/bin/echo", "x").out, "x\n", "the pod goes on")
    equal(t.run("exec", a, "/bin/true").status, 255, "exec")
    t.ok("resume", a)
    equal(t.ok("exec", a, "/bin/echo", "x").out, "x\n", "resumed")
    p = t.popen("wait", a)
    await_answer(p)
    t.ok("kill", "--all", a, "KILL")
    equal(json.loads(finish(p).out)["exitStatus"], 137, "wait")
    equal(len(inside(t, pod)), 1, "the pod's own")
    end(t, a, pod)


def test_pod_shared_network(t):
    """A server in one container, its client in another."""
    pod = pause(t)
    a = join(t, pod, ("/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:5000", "-h", "/etc"))
    b = join(t, pod)
    ask = ("exec", b, "/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:5000/group")
    equal(wait_for(lambda: t.run(*ask).out, "an answer of the server"), "root:x:0:\n", "over the loopback")
    end(t, a, b, pod)


def test_pod_terminal(t):
    pod = pause(t)
    name = t.new_id()
    b = t.bundle(["/bin/sh", "-c", "test -t 0 && echo tty; read x; echo got $x; exit 2"],
                 member(pod, lambda c: c["process"].update(terminal=True)))
    with console(t) as (path, listener):
        p = t.popen("run", "--detach", "--bundle", b, "--console-socket", path, "--pid-file", t.tmp / f"{name}.pid", name)
        master = receive_master(listener)
        check(finish(p).status == 0, "run")
    read_master(master, "tty\r\n")
    os.write(master, b"hello\n")
    read_master(master, "got hello\r\n")
    equal(status_of_proxy(pid_of(t, name)), 2, "status")
    os.close(master)
    end(t, name, pod)


def test_pod_gives_back(t):
    """Containers that come and go leave nothing in the sandbox."""
    pod = pause(t)
    sandbox = t.state_file(pod)["sandboxPid"]

    def cycle():
        name = join(t, pod, change=lambda c: c["mounts"].append({"destination": "/mnt", "type": "bind", "source": str(t.rootfs / "etc"), "options": ["bind", "ro"]}))
        equal(t.ok("exec", name, "/bin/head", "-n", "1", "/mnt/group").out, "root:x:0:\n", "a bind mount")
        gofer = t.state_file(name)["goferPid"]
        t.ok("kill", name, "KILL")
        t.wait_status(name, "stopped")
        t.ok("delete", name)
        wait_for(lambda: not alive(gofer), "the gofer's end")

    cycle()
    before = descriptors(sandbox)
    for _ in range(5):
        cycle()
    wait_for(lambda: descriptors(sandbox) <= before + 2, "descriptors given back")
    end(t, pod)


def test_pod_refused_gives_back(t):
    """What cannot be started leaves nothing in the sandbox either, whether its mounts or its process are refused."""
    pod = pause(t)
    sandbox = t.state_file(pod)["sandboxPid"]

    def refused(text, change):
        r = t.run("create", "--bundle", t.bundle(["/bin/true"], member(pod, change)), t.new_id())
        equal(r.status, 128, text)
        contains(r.err, text, "message")

    def cycle():
        refused("cannot make the mount point", lambda c: c["mounts"].append({"destination": "/etc/group/x", "type": "tmpfs", "source": "tmpfs"}))
        refused("process.cwd", lambda c: c["process"].update(cwd="/etc/group"))

    cycle()
    before = descriptors(sandbox)
    for _ in range(4):
        cycle()
    wait_for(lambda: descriptors(sandbox) <= before + 2, "descriptors given back")
    end(t, pod)


def test_pod_many(t):
    pod = pause(t)
    names = [t.new_id() for _ in range(8)]
    b = t.bundle(["/bin/sh", "-c", LOOP], member(pod))
    ps = [t.popen("run", "--detach", "--bundle", b, "--pid-file", t.tmp / f"{n}.pid", n, stdout=subprocess.DEVNULL,
                  stderr=subprocess.DEVNULL) for n in names]
    for p in ps:
        equal(p.wait(timeout=TIMEOUT), 0, "run")
    for n in names:
        equal(t.status_of(n), "running", n)
    ps = [t.popen("delete", "--force", n) for n in names]
    for p in ps:
        equal(finish(p).status, 0, "delete")
    end(t, pod)


def test_pod_shared_pids(t):
    """A pod with one pid namespace for all (shareProcessNamespace): the end of a container is that of its processes only."""
    pod = pause(t)

    def shared(c):
        c["linux"]["namespaces"][0]["path"] = "/proc/self/ns/pid"

    a = join(t, pod, ("/bin/sh", "-c", "sleep 1000 & sleep 1000"), shared)
    b = join(t, pod, change=shared)
    wait_for(lambda: len(inside(t, a)) == 2, "its processes")
    check(1 not in inside(t, a) and inside(t, pod) == [1], "numbers of the pod's namespace")
    contains(t.ok("exec", b, "/bin/sh", "-c", "cat /proc/[0-9]*/comm | sort | uniq -c").out, "sleep", "all are seen")
    os.kill(pid_of(t, a), signal.SIGKILL)
    os.waitpid(pid_of(t, a), 0)
    t.wait_status(a, "stopped")
    t.ok("delete", a)
    script = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done | grep -c '^sleep 1000'"
    wait_for(lambda: t.run("exec", pod, "/bin/sh", "-c", script).out == "0\n", "its processes killed")
    equal([t.status_of(n) for n in (pod, b)], ["running", "running"], "the others")
    t.ok("kill", b, "TERM")
    equal(status_of_proxy(pid_of(t, b)), 4, "status")
    end(t, b, pod)


def test_pod_served_files(t):
    """Files by the gofer's socket alone: each container asks its own gofer."""
    flags = ["--directfs=false"]
    pod = f"{t.prefix}-{t.count + 1}"
    equal(t.start(change=member(pod, kind="sandbox"), flags=flags), pod, "pod")
    dirs = []
    for i in range(2):
        dirs.append(t.tmp / f"shared{i}")
        dirs[i].mkdir()
        (dirs[i] / "in").write_text(f"{i}\n")

    def bind(i):
        return member(pod, lambda c: c["mounts"].append({"destination": "/mnt", "type": "bind", "source": str(dirs[i]), "options": ["bind", "rw"]}))

    names = [t.start(("/bin/sh", "-c", LOOP), bind(i), flags=flags) for i in range(2)]
    for i, name in enumerate(names):
        r = t.ok("exec", name, "/bin/sh", "-c", "cat /mnt/in; mkdir /mnt/d; echo x > /mnt/d/f; mv /mnt/d/f /mnt/g; ls /mnt", flags=flags)
        equal(r.out, f"{i}\nd\ng\nin\n", "its own mount")
        equal((dirs[i] / "g").read_text(), "x\n", "on the host")
    r = t.run("create", "--bundle", t.bundle(["/bin/true"], member(pod)), t.new_id())
    equal(r.status, 128, "another way to serve files than the sandbox's")
    end(t, *names, pod)
