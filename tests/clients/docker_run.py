# SPDX-License-Identifier: Apache-2.0
"""docker run: statuses, streams, what the process finds, networks, init, builds."""
import contextlib
import http.server
import os
import socket
import threading

from harness import check, contains, equal, wait_for


def test_run(t):
    equal(t.run_out("echo", "hi"), "hi", "output")
    r = t.sh("echo out; echo err >&2; exit 3")
    equal((r.status, r.out, r.err), (3, "out\n", "err\n"), "status and streams")


def test_hello(t):
    equal(t.run_out(image="hello"), "Hello from a container", "output")


def test_bad_command(t):
    r = t.run("/no/such/program")
    equal(r.status, 127, "status for a missing program")
    contains(r.err, "/no/such/program", "message")
    contains(r.err, "no such file or directory", "message")
    r = t.run("nosuchprogram")
    equal(r.status, 127, "status for a program not in PATH")
    contains(r.err, "executable file not found in $PATH", "message")
    r = t.run("/etc/passwd")
    equal(r.status, 126, "status for a file without x")
    contains(r.err.lower(), "permission denied", "message")


def test_streams(t):
    data = os.urandom(1 << 20).hex().encode()
    r = t.run("cat", opts=["-i"], stdin=data)
    check(r.out.encode() == data, f"2 MiB through cat: {len(r.out)} came back; {r.err}")
    r = t.sh("seq 1 100000")
    equal(r.out.splitlines()[-1], "100000", "last line of a long output")
    equal(len(r.out.splitlines()), 100000, "lines of a long output")


def test_process(t):
    out = t.sh_out("echo $A; pwd; hostname; id -u; id -g; cat /proc/sys/kernel/domainname", opts=[
        "-e", "A=b c", "-w", "/var/new/dir", "--hostname", "there", "--domainname", "example.org", "--user", "1000:1000"])
    equal(out.splitlines(), ["b c", "/var/new/dir", "there", "1000", "1000", "example.org"], "env, cwd, hostname, user")
    equal(t.run_out("id", opts=["--user", "user", "--group-add", "3000"]),
          "uid=1000(user) gid=1000(user) groups=1000(user),2000(extra),3000", "user by name, and groups")


def test_files_of_docker(t):
    out = t.sh_out("cat /etc/hosts /etc/hostname; cat /etc/resolv.conf > /dev/null && echo readable",
                   opts=["--hostname", "box1", "--add-host", "other:10.1.2.3"])
    contains(out, "10.1.2.3\tother", "/etc/hosts")
    equal(out.splitlines()[-2:], ["box1", "readable"], "/etc/hostname and /etc/resolv.conf")


def test_ulimit(t):
    equal(t.sh_out("ulimit -n; ulimit -Hn; ulimit -c", opts=["--ulimit", "nofile=512:1024", "--ulimit", "core=0"]),
          "512\n1024\n0", "limits")


def test_shm_size(t):
    equal(t.sh_out("df -k /dev/shm | tail -1 | awk '{print $2}'; echo x > /dev/shm/f; cat /dev/shm/f", opts=["--shm-size", "8m"]),
          "8192\nx", "/dev/shm")


def test_sysctl(t):
    equal(t.run_out("cat", "/proc/sys/kernel/msgmax", opts=["--sysctl", "kernel.msgmax=4096"]), "4096", "sysctl")


def test_init(t):
    out = t.sh_out("cat /proc/1/comm; (sleep 0.1 & echo $! > /tmp/orphan); while [ -e /proc/$(cat /tmp/orphan) ]; do usleep 100000; done; "
                   "echo reaped", opts=["--init"])
    equal(out.splitlines(), ["docker-init", "reaped"], "process 1, and an orphan")
    name = t.start("sleep", "1000", opts=["--init"])
    t.ok("stop", "-t", "20", name)
    equal(t.inspect(name, "State.ExitCode"), "143", "status after SIGTERM by way of init")


def test_network_none(t):
    out = t.sh_out("ls /sys/class/net; cat /proc/net/dev | grep -c :; nc -l -p 5000 -e echo served & "
                   "until nc 127.0.0.1 5000; do usleep 100000; done; wait")
    equal(out.splitlines(), ["lo", "1", "served"], "only a loopback, which works")
    check(t.run("wget", "-T", "2", "-q", "-O", "-", "http://192.0.2.1/").status != 0, "the outside is not reachable")


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the host\n")

    def log_message(self, *args):
        pass


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_network_host(t):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        out = t.run_out("wget", "-q", "-O", "-", f"http://127.0.0.1:{server.server_port}/", network="host")
        equal(out, "from the host", "a page of the host")
    finally:
        server.shutdown()
        server.server_close()
    port = free_port()
    t.start("sh", "-c", f"echo served > /tmp/index.html; exec httpd -f -p 127.0.0.1:{port} -h /tmp", network="host")

    def answer():
        with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port), 5)) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            got = b""
            while (b := s.recv(4096)):
                got += b
            return b"served" in got
        return False
    wait_for(answer, "the container's server reached from the host")


def test_build(t):
    (t.tmp / "Dockerfile").write_text("FROM box\nENV A=1\nRUN echo built-$A > /made && echo built:x:1001:1001::/:/bin/sh >> /etc/passwd && mkdir /d && chmod 700 /d\n"
                                      "RUN rm /var/kept/from-image && ln -s /made /link\nCOPY copied /copied\nUSER built\n"
                                      "CMD cat /made /link /copied; id -un\n")
    (t.tmp / "copied").write_text("copied\n")
    tag = f"{t.prefix}-image"
    t.engine.set_default_runtime(t.runtime)
    try:
        t.ok("build", "--network", "none", "--force-rm", "-t", tag, str(t.tmp))
        r = t.run(image=tag)
        equal((r.status, r.out), (0, "built-1\nbuilt-1\ncopied\nbuilt\n"), f"the built image ({r.err})")
        equal(t.sh("ls /var/kept; ls -ld /d", image=tag).out.split()[0], "drwx------", "what was removed and made")
        r = t.client("build", "--network", "none", "--force-rm", "-", stdin=b"FROM box\nRUN exit 7\n")
        contains(r.out + r.err, "returned a non-zero code: 7", "a failing step")
    finally:
        t.engine.set_default_runtime("runc")
        t.client("rmi", "-f", tag)


test_build.alone = True
