# SPDX-License-Identifier: Apache-2.0
"""Networks: the host's, one made for the container, one by path, none; what each can reach."""
import socket
import subprocess
import threading

from harness import check, contains, equal

BUSYBOX = "/bin/busybox"


class Server:
    """Says hello on 127.0.0.1 of the host, for as long as the block lasts."""

    def __enter__(self):
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            with c:
                c.sendall(b"hello from outside\n")

    def __exit__(self, *_):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
        self.thread.join()


def network(**kw):
    return lambda c: c["linux"]["namespaces"].append({"type": "network", **kw})


def ask(port):
    return [BUSYBOX, "nc", "-w", "60", "127.0.0.1", str(port)]


# A server on port 80 and its client, of one container. The client's input is there from the start: the server, which has none,
# ends its side at once, and nc sends nothing that it has not read by then.
ON_80 = f"echo inside >/tmp/in; {BUSYBOX} nc -l -p 80 >/tmp/got & until {BUSYBOX} nc -w 60 127.0.0.1 80 </tmp/in 2>/tmp/err; do " \
        "grep -q refused /tmp/err || exit 9; usleep 10000; done; wait; cat /tmp/got"


def test_host(t):
    """config.json without a network namespace: that of runsc."""
    with Server() as s:
        r = t.run_bundle(ask(s.port))
        equal((r.status, r.out), (0, "hello from outside\n"), r.err)
        r = t.run_bundle(ask(s.port), flags=["--network=none"])
        check(r.status != 0 and not r.out, f"none: {r}")
        r = t.do(*ask(s.port))
        equal((r.status, r.out), (0, "hello from outside\n"), r.err)


def test_new(t):
    """A network namespace without a path: a new one, with its loopback up, and every port free to bind."""
    with Server() as s:
        r = t.run_bundle(ask(s.port), change=network())
        check(r.status != 0 and not r.out, f"{r}")
    r = t.run_bundle(["/bin/sh", "-c", f"{BUSYBOX} ip addr show; ls /sys/class/net"], change=network())
    contains(r.out, "inet 127.0.0.1/8", r.err)
    contains(r.out, "lo\n", r.err)
    check("eth0" not in r.out, r.out)
    r = t.run_bundle(["/bin/sh", "-c", ON_80], change=network())
    equal((r.status, r.out), (0, "inside\n"), r.err)


def test_none(t):
    r = t.run_bundle(["/bin/sh", "-c", ON_80], flags=["--network=none"])
    equal((r.status, r.out), (0, "inside\n"), r.err)
    r = t.run_bundle([BUSYBOX, "ip", "-o", "link"], flags=["--network=none"])
    equal(r.out.count("\n"), 1, r.out)


def test_path(t):
    """The namespace is joined, and those who are in it already can be reached."""
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "busybox ip link set lo up && echo up && exec sleep 1000"],
                              stdout=subprocess.PIPE, text=True)
    server = None
    try:
        equal(holder.stdout.readline(), "up\n", "unshare")
        path = f"/proc/{holder.pid}/ns/net"
        server = subprocess.Popen(["nsenter", f"--net={path}", "busybox", "nc", "-l", "-p", "7777"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        server.stdin.write("from the namespace\n")
        server.stdin.flush()
        script = f"for i in $(seq 2000); do {BUSYBOX} nc -w 60 127.0.0.1 7777 </dev/null 2>/tmp/err && exit; usleep 20000; done; cat /tmp/err"
        r = t.run_bundle(["/bin/sh", "-c", script], change=network(path=path))
        equal((r.status, r.out), (0, "from the namespace\n"), r.err)
        server.stdin.close()
        server.wait(60)
        r = t.run_bundle(["/bin/sh", "-c", ON_80], change=network(path=path))
        equal((r.status, r.out), (0, "inside\n"), r.err)
    finally:
        for p in filter(None, (server, holder)):
            p.kill()
            p.wait()


def test_refused(t):
    r = t.run_bundle(change=network(path="/nonexistent/ns"))
    equal(r.status, 128, f"{r}")
    contains(r.err, "/nonexistent/ns", "message")
    r = t.run_bundle(flags=["--network=sandbox"])
    equal(r.status, 128, f"{r}")
    contains(r.err, "--network=sandbox", "message")


def test_privileged_ports(t):
    """Who lacks CAP_NET_BIND_SERVICE in the container is refused, whatever the namespace permits."""
    def user(c):
        network()(c)
        c["process"]["user"] = {"uid": 1000, "gid": 1000}
        c["process"]["capabilities"] = {}
    for flags in ([], ["--network=none"]):
        r = t.run_bundle([BUSYBOX, "nc", "-l", "-p", "80"], change=user, flags=flags)
        check(r.status != 0, f"{r}")
        contains(r.err + r.out, "ermission denied", "message")

    # ... unless the bundle sets the limit, as Docker does; it is no limit for who has the capability.
    def limit(n, change):
        def both(c):
            change(c)
            c["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": str(n)}
        return both
    for flags in ([], ["--network=none"]):
        for n, change in ((0, user), (80, user), (81, network())):
            r = t.run_bundle(["/bin/sh", "-c", ON_80], change=limit(n, change), flags=flags)
            equal((r.status, r.out), (0, "inside\n"), f"limit {n} {flags}: {r.err}")
        r = t.run_bundle([BUSYBOX, "nc", "-l", "-p", "80"], change=limit(81, user), flags=flags)
        contains(r.err + r.out, "ermission denied", f"limit 81 {flags}")
