# SPDX-License-Identifier: Apache-2.0
"""What the tests of engines share: images made here, engines on private sockets and directories, and the view of one test.

An engine runs everything below one scratch directory: its data, its state, its sockets; cgroups below a parent of its own.
So a machine's own Docker or Podman is neither used nor disturbed, and what stays behind is found. A test is a function
`test_NAME(t)` with a Check of its engine; it is run with runc first (the reference: what fails there is the test's fault),
then with runsc on each platform, with the same expectations."""
import contextlib
import hashlib
import io
import json
import os
import pathlib
import selectors
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

import oci_terminal
from harness import TIMEOUT, Failure, Result, alive, check, describe, mounts, wait_for

PROMPT = r"\$> $"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
APPLETS_LEFT_OUT = {"busybox"}
END = "-- all of it --\n"


def run(argv, stdin=None, timeout=TIMEOUT, env=None, cwd=None):
    """Runs a command to its end; never raises for its status."""
    argv = [str(a) for a in argv]
    start = time.monotonic()
    p = subprocess.Popen(argv, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=env, cwd=cwd, start_new_session=True)
    try:
        out, err = p.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate(timeout=20)
        raise Failure(f"timeout after {timeout} s: {' '.join(argv)}\n  stdout: {out[-800:]!r}\n  stderr: {err[-800:]!r}")
    status = p.returncode if p.returncode >= 0 else 128 - p.returncode
    return Result(argv, status, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - start)


def run_held(argv, seconds=TIMEOUT):
    """As run, of a client that runs held(SCRIPT): only when all output has come does the script end."""
    argv = [str(a) for a in argv]
    start = time.monotonic()
    p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    got = {p.stdout: b"", p.stderr: b""}
    try:
        with selectors.DefaultSelector() as select:
            for f in got:
                select.register(f, selectors.EVENT_READ)
            while select.get_map() and not all(g.endswith(END.encode()) for g in got.values()):
                ready = select.select(start + seconds - time.monotonic())
                check(ready, f"timeout after {seconds} s: {' '.join(argv)}\n  stdout, stderr: {[g[-800:] for g in got.values()]}")
                for key, _ in ready:
                    data = os.read(key.fd, 65536)
                    got[key.fileobj] += data
                    if not data:
                        select.unregister(key.fileobj)
        with contextlib.suppress(BrokenPipeError):  # what never ran its script has ended
            p.stdin.write(b"\n")
            p.stdin.flush()
        rest = p.communicate(timeout=seconds)
    except BaseException:
        p.kill()
        p.communicate()
        raise
    status = p.returncode if p.returncode >= 0 else 128 - p.returncode
    out, err = ((g + r).decode(errors="replace").replace(END, "") for g, r in zip(got.values(), rest))
    return Result(argv, status, out, err, time.monotonic() - start)


def held(script):
    """A command: the script in a shell that then says END on both streams, waits for a line, and exits as the script did."""
    end = shlex.quote(END.strip())
    return ["sh", "-c", f"sh -c {shlex.quote(script)} < /dev/null; s=$?; echo {end}; echo {end} >&2; read line; exit $s"]


def ok(argv, **kw):
    r = run(argv, **kw)
    check(r.status == 0, f"{' '.join(r.argv)}: {r}")
    return r


# --- terminals --------------------------------------------------------------------------------------------------------

class Terminal(oci_terminal.Terminal):
    """A client on a terminal; what is waited for is a shell with PROMPT."""

    def wait_size(self, rows, columns, seconds=TIMEOUT):
        """Clients set the size some time after the container runs, and listen for changes later still (they lose what comes
        before). So the size is asked for until it is there, and the window is moved as a user would."""
        end = time.monotonic() + seconds
        while True:
            self.send("echo size $(stty size).\n")
            got = self.expect(r"size (\d+ \d+)\.\r+\n").group(1)
            self.expect(PROMPT)
            if got == f"{rows} {columns}":
                return
            check(time.monotonic() < end, f"the size is {got}, not {rows} {columns}")
            self.read(0.2)
            self.move(rows, columns)

    def move(self, rows, columns):
        """Two changes, the last one to this size."""
        self.resize(rows, columns - 1)
        self.resize(rows, columns)

    def interrupt(self):
        """Ctrl-C for a program that is known to run in the foreground."""
        self.send("sh -c 'echo run''ning; exec sleep 1000'\n")
        self.expect(r"running\r+\n")
        self.send("\x03")
        self.expect(PROMPT)


# --- images -----------------------------------------------------------------------------------------------------------

def make_box(directory, helper):
    """A root file system of one static busybox and the static helper of tests/oci."""
    for d in ["bin", "dev", "proc", "sys", "tmp", "etc", "root", "mnt", "run", "usr/bin", "var", "home"]:
        (directory / d).mkdir(parents=True)
    busybox = shutil.which("busybox")
    if not busybox:
        raise SystemExit("tests/clients: no busybox (package busybox-static)")
    shutil.copy2(busybox, directory / "bin/busybox")
    for a in ok([busybox, "--list"]).out.split():
        if a not in APPLETS_LEFT_OUT:
            (directory / "bin" / a).symlink_to("busybox")
    shutil.copy2(helper, directory / "bin/helper")
    (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"
                                          "nobody:x:65534:65534::/:/bin/false\n")
    (directory / "etc/group").write_text("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
    (directory / "var/kept").mkdir()
    (directory / "var/kept/from-image").write_text("image\n")
    os.chmod(directory / "tmp", 0o1777)
    os.chmod(directory, 0o755)


def make_hello(directory):
    """One static program and nothing else, as in hello-world."""
    directory.mkdir()
    os.chmod(directory, 0o755)
    shutil.copy2(shutil.which("busybox"), directory / "echo")


def tar(directory):
    return subprocess.run(["tar", "--numeric-owner", "-C", directory, "-c", "."], stdout=subprocess.PIPE, check=True).stdout


def image_archive(directory, reference, config):
    """A one-layer image as `docker save` writes it: `ctr images import` takes no plain tree."""
    layer = tar(directory)
    diff = hashlib.sha256(layer).hexdigest()
    body = json.dumps({"architecture": "amd64", "os": "linux", "config": config,
                       "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff]}}).encode()
    name = hashlib.sha256(body).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": [diff + "/layer.tar"]}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for member, data in ((name, body), (diff + "/layer.tar", layer), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


# --- engines ----------------------------------------------------------------------------------------------------------

class Engine:
    """Base: scratch directory, runtimes, leftovers. `runtimes` maps a runtime's name in the tests to a list: binary, flags."""

    name = ""
    binaries = []

    def __init__(self, scratch, runtimes, images):
        self.dir = scratch / self.name
        self.dir.mkdir()
        self.runtimes, self.images = runtimes, images
        self.cgroup_parent = f"runsc-clients-{os.getpid()}-{self.name}"

    def start(self):
        pass

    def stop(self):
        pass

    def import_image(self, name, directory, command):
        raise NotImplementedError

    def start_daemon(self, argv, log, ready):
        with open(self.dir / log, "ab") as f:
            p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=f, stderr=f, start_new_session=True)
        try:
            wait_for(lambda: p.poll() is not None or ready(), f"{argv[0]} answering", TIMEOUT)
            check(p.poll() is None, f"{argv[0]} ended: {self.log(log)}")
        except Failure as e:
            p.kill()
            p.wait()
            raise Failure(f"{e}\n{self.log(log)}")
        return p

    def log(self, name):
        with contextlib.suppress(OSError):
            return (self.dir / name).read_text(errors="replace")[-3000:]
        return ""

    def stop_daemon(self, p):
        if not p:
            return
        p.terminate()
        try:
            p.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()

    def processes(self):
        """Processes that belong to this engine: their command line names its directory (its daemons apart)."""
        mark = str(self.dir).encode()
        found = []
        for p in os.listdir("/proc"):
            if p.isdigit():
                with contextlib.suppress(OSError):
                    line = pathlib.Path(f"/proc/{p}/cmdline").read_bytes()
                    if mark in line and int(p) != os.getpid() and alive(int(p)):
                        found.append(int(p))
        return found

    def daemons(self):
        return set()

    def states(self):
        """State directories of runtimes; each engine knows its own."""
        return []

    def own_cgroup(self, name):
        """Whether a container's end is to remove this cgroup; the engine's own are the engine's affair."""
        return True

    def leftovers(self):
        left = [f"process {describe(p)}" for p in self.processes() if p not in self.daemons()]
        left += [f"state {s}" for s in self.states()]
        for d, names, _ in os.walk(CGROUPS):
            if self.cgroup_parent in d:
                left += [f"cgroup {d}/{n}" for n in names if self.own_cgroup(n)]
        return left

    def expect_clean(self, seconds=TIMEOUT):
        end = time.monotonic() + seconds
        while True:
            left = self.leftovers()
            if not left:
                return
            check(time.monotonic() < end, "left behind: " + "; ".join(left))
            time.sleep(0.1)

    def destroy(self):
        """By force: whatever tests left."""
        self.stop()
        kill_all(self.processes)
        for m in reversed(mounts(self.dir)):
            subprocess.run(["umount", "-l", m], stderr=subprocess.DEVNULL)
        remove_cgroups(self.cgroup_parent)


class Docker(Engine):
    name = "docker"
    binaries = ["dockerd", "docker", "containerd", "runc"]
    cli = "/usr/bin/docker"  # Debian's, whatever else PATH has

    def __init__(self, *args):
        super().__init__(*args)
        self.daemon = None
        self.socket = f"unix://{self.dir}/sock"
        self.config = self.dir / "daemon.json"

    def runtime(self, name):
        return "runc" if name == "runc" else f"runsc-{name}"

    def write_config(self, default="runc"):
        runtimes = {self.runtime(n): {"path": str(r[0]), "runtimeArgs": r[1]} for n, r in self.runtimes.items() if n != "runc"}
        self.config.write_text(json.dumps({"runtimes": runtimes, "default-runtime": self.runtime(default)}))

    def set_default_runtime(self, name):
        """As an administrator does it: the file, and SIGHUP."""
        self.write_config(name)
        self.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: run(self.argv("info", "--format", "{{.DefaultRuntime}}")).out.strip() == self.runtime(name),
                 "the default runtime changed")

    def argv(self, *args):
        return [self.cli, "-H", self.socket, *args]

    def start(self):
        self.write_config()
        self.daemon = self.start_daemon(
            ["dockerd", "--config-file", self.config, "--data-root", self.dir / "data", "--exec-root", self.dir / "exec",
             "-H", self.socket, "-p", self.dir / "pid", "--iptables=false", "--ip6tables=false", "--bridge=none",
             "--exec-opt", "native.cgroupdriver=cgroupfs"], "dockerd.log",
            lambda: run(self.argv("version")).status == 0)
        for name, (directory, command) in self.images.items():
            change = ["-c", f"CMD {json.dumps(command)}"]
            ok(self.argv("import", *change, "-", name), stdin=tar(directory))

    def stop(self):
        self.stop_daemon(self.daemon)
        self.daemon = None

    def daemons(self):
        mine = {self.daemon.pid} if self.daemon else set()
        return mine | {p for p in self.processes() if parent(p) in mine}

    def states(self):
        return [p for p in (self.dir / "exec").glob("runtime-*/moby/*")]


class Containerd(Engine):
    name = "containerd"
    binaries = ["containerd", "ctr", "runc", "containerd-shim-runc-v2"]

    def __init__(self, *args):
        super().__init__(*args)
        self.daemon = None
        self.socket = self.dir / "sock"

    def binary(self, name):
        """ctr passes no flags to a runtime: a program of one line does."""
        if name == "runc":
            return shutil.which("runc")
        path = self.dir / f"runsc-{name}"
        if not path.exists():
            program, flags = self.runtimes[name]
            path.write_text(f"#!/bin/sh\nexec {program} {' '.join(flags)} \"$@\"\n")
            path.chmod(0o755)
        return path

    def argv(self, *args):
        return ["ctr", "-a", self.socket, "-n", "tests", *args]

    def start(self):
        (self.dir / "config.toml").write_text(
            f'version = 2\nroot = "{self.dir}/root"\nstate = "{self.dir}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\n  address = "{self.socket}"\n')
        for r in self.runtimes:
            self.binary(r)
        self.daemon = self.start_daemon(["containerd", "-c", self.dir / "config.toml"], "containerd.log",
                                        lambda: run(self.argv("version")).status == 0)
        for name, (directory, command) in self.images.items():
            archive = self.dir / f"{name}.tar"
            archive.write_bytes(image_archive(directory, f"docker.io/library/{name}:latest", {"Cmd": command, "Env": ["PATH=/bin:/usr/bin"]}))
            ok(self.argv("images", "import", archive))
            archive.unlink()

    def stop(self):
        self.stop_daemon(self.daemon)
        self.daemon = None

    def daemons(self):
        return {self.daemon.pid} if self.daemon else set()

    def states(self):
        return [p for p in (self.dir / "runtime").glob("*/tests/*")]


class Podman(Engine):
    """No daemon; runc's default hard limits are lowered, since a machine may not let even root raise them."""

    name = "podman"
    binaries = ["podman", "conmon", "runc"]

    def __init__(self, *args):
        super().__init__(*args)
        self.env = dict(os.environ, CONTAINERS_CONF=str(self.dir / "containers.conf"))

    def argv(self, *args, runtime="runc", flags=()):
        return ["podman", "--root", self.dir / "root", "--runroot", self.dir / "run", "--tmpdir", self.dir / "tmp",
                "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", shutil.which(runtime),
                *[f"--runtime-flag={f.removeprefix('--')}" for f in flags], *args]

    def start(self):
        (self.dir / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\nlog_driver = "k8s-file"\nnetns = "none"\n')
        ok(self.argv("version"), env=self.env)
        for name, (directory, command) in self.images.items():
            ok(self.argv("import", "-c", f"CMD {json.dumps(command)}", "-c", "ENV PATH=/bin:/usr/bin", "-", name), stdin=tar(directory), env=self.env)

    def own_cgroup(self, name):
        return name.startswith("libpod-") and not name.startswith("libpod-conmon")

    def stop(self):
        run(self.argv("pod", "rm", "-af", "-t", "0"), env=self.env)
        run(self.argv("rm", "-af", "-t", "0"), env=self.env)


def kill_all(processes):
    """Kills what processes() returns until it returns nothing; what does not end is left."""
    end = time.monotonic() + TIMEOUT
    while (found := processes()) and time.monotonic() < end:
        for p in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        time.sleep(0.05)


def remove_cgroups(name):
    """Those with that in their path, as far as they are empty."""
    for d, _, _ in os.walk(CGROUPS, topdown=False):
        if name in d:
            with contextlib.suppress(OSError):
                os.rmdir(d)


def parent(pid):
    with contextlib.suppress(OSError):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


# --- one test with one runtime ----------------------------------------------------------------------------------------

class Check:
    """What a test sees: the engine, the runtime by name, a directory, names of its own."""

    def __init__(self, engine, runtime, scratch, prefix):
        self.engine, self.runtime, self.prefix = engine, runtime, prefix
        self.tmp = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.count = 0
        self.terminals = []

    def new_name(self):
        self.count += 1
        return f"{self.prefix}-{self.count}"

    def argv(self, *args):
        return self.engine.argv(*args)

    def client(self, *args, **kw):
        """The engine's client, to its end."""
        return run(self.argv(*args), **kw)

    def ok(self, *args, **kw):
        return ok(self.argv(*args), **kw)

    def out(self, *args, **kw):
        return self.ok(*args, **kw).out.strip()

    def pause(self, *args):
        """runc on cgroup v1 gives up where tasks do not come to a CPU soon enough; who wants a container paused asks it again."""
        def done():
            r = self.client(*args)
            check(r.status == 0 or self.runtime == "runc" and "unable to freeze" in r.err, f"{' '.join(r.argv)}: {r}")
            return r.status == 0
        wait_for(done, "paused")

    def terminal(self, *args, rows=24, columns=80):
        """The client on a pty of that size."""
        env = dict(getattr(self.engine, "env", os.environ), TERM="xterm")
        argv = [str(a) for a in self.argv(*args)]
        argv[0] = shutil.which(argv[0])
        term = Terminal(argv, rows, columns, env)
        self.terminals.append(term)
        return term

    def cleanup(self):
        for term in self.terminals:
            term.close()
        shutil.rmtree(self.tmp, ignore_errors=True)


class DockerCheck(Check):
    def common(self, network="none"):
        return ["--runtime", self.engine.runtime(self.runtime), "--network", network, "--cgroup-parent", self.engine.cgroup_parent]

    def run(self, *command, opts=(), image="box", network="none", **kw):
        return self.client("run", "--rm", "--name", self.new_name(), *self.common(network), *opts, image, *command, **kw)

    def run_out(self, *command, **kw):
        r = self.run(*command, **kw)
        check(r.status == 0, f"docker run {' '.join(command)}: {r}")
        return r.out.strip()

    def sh(self, script, **kw):
        return self.run("sh", "-c", script, **kw)

    def sh_out(self, script, **kw):
        return self.run_out("sh", "-c", script, **kw)

    def start(self, *command, opts=(), image="box", network="none"):
        """A detached container; its name."""
        name = self.new_name()
        self.ok("run", "-d", "--name", name, *self.common(network), *opts, image, *command)
        return name

    def create(self, *command, opts=(), image="box"):
        name = self.new_name()
        self.ok("create", "--name", name, *self.common(), *opts, image, *command)
        return name

    def inspect(self, name, field):
        return self.out("inspect", "--format", "{{." + field + "}}", name)

    def wait_field(self, name, field, want, seconds=TIMEOUT):
        wait_for(lambda: self.inspect(name, field) == want, f"{name}: {field} {want} (it is {self.inspect(name, field)})", seconds)

    def wait_log(self, name, text, seconds=TIMEOUT):
        def there():
            r = self.ok("logs", name)
            return text in r.out + r.err
        wait_for(there, f"{text!r} in the log of {name} ({self.ok('logs', name)})", seconds)

    def cleanup(self):
        names = run(self.argv("ps", "-aq", "--filter", f"name={self.prefix}-")).out.split()
        try:
            if names:
                self.ok("rm", "-f", "-v", *names)
        finally:
            super().cleanup()


class ContainerdCheck(Check):
    """ctr loses output of a container or process that ends early: it closes FIFOs before all is read (`run`), and cancels their
    opening (`exec`), with any runtime. So output is that of scripts which end when it has come, or goes to a file of the shim."""

    def common(self):
        return ["--runtime", "io.containerd.runc.v2", "--runc-binary", self.engine.binary(self.runtime),
                "--runc-root", self.engine.dir / "runtime" / self.runtime, "--cgroup", f"/{self.engine.cgroup_parent}/{self.prefix}",
                "--fifo-dir", self.engine.dir / "fifos"]

    def image(self, name):
        return f"docker.io/library/{name}:latest"

    def run(self, *command, opts=(), image="box", **kw):
        return self.client("run", "--rm", *self.common(), *opts, self.image(image), self.new_name(), *command, **kw)

    def sh(self, script, opts=()):
        return run_held(self.argv("run", "--rm", *self.common(), *opts, self.image("box"), self.new_name(), *held(script)))

    def start(self, *command, opts=(), image="box"):
        name = self.new_name()
        self.ok("run", "-d", *self.common(), *opts, self.image(image), name, *command)
        return name

    def exec_sh(self, name, script, opts=()):
        return run_held(self.argv("task", "exec", "--exec-id", self.new_name(), "--fifo-dir", self.engine.dir / "fifos", *opts, name,
                                  *held(script)))

    def task(self, *args, **kw):
        return self.client("task", *args, **kw)

    def state(self, name):
        for line in self.ok("task", "ls").out.splitlines():
            if line.split()[0] == name:
                return line.split()[2]
        return None

    def cleanup(self):
        for name in run(self.argv("container", "ls", "-q")).out.split():
            if name.startswith(f"{self.prefix}-"):
                run(self.argv("task", "rm", "-f", name))
                run(self.argv("container", "rm", name))
        super().cleanup()


class PodmanCheck(Check):
    def __init__(self, *args):
        super().__init__(*args)
        self.pods = []

    def new_pod(self):
        self.pods.append(f"{self.prefix}-pod-{len(self.pods)}")
        return self.pods[-1]

    def argv(self, *args):
        program, flags = self.engine.runtimes[self.runtime]
        return self.engine.argv(*args, runtime=program, flags=flags)

    def client(self, *args, **kw):
        return super().client(*args, env=self.engine.env, cwd=self.engine.dir, **kw)  # conmon leaves files where it is started

    def ok(self, *args, **kw):
        return super().ok(*args, env=self.engine.env, cwd=self.engine.dir, **kw)

    def common(self):
        return ["--cgroup-parent", f"/{self.engine.cgroup_parent}"]

    def run(self, *command, opts=(), image="box", **kw):
        return self.client("run", "--rm", "--name", self.new_name(), *self.common(), *opts, image, *command, **kw)

    def run_out(self, *command, **kw):
        r = self.run(*command, **kw)
        check(r.status == 0, f"podman run {' '.join(command)}: {r}")
        return r.out.strip()

    def sh_out(self, script, **kw):
        return self.run_out("sh", "-c", script, **kw)

    def start(self, *command, opts=(), image="box"):
        name = self.new_name()
        self.ok("run", "-d", "--name", name, *self.common(), *opts, image, *command)
        return name

    def inspect(self, name, field):
        return self.out("inspect", "--format", "{{." + field + "}}", name)

    def cleanup(self):
        """By name: lists may fail where other tests remove pods meanwhile."""
        try:
            if self.pods:
                self.ok("pod", "rm", "--ignore", "-f", "-t", "0", *self.pods)
            if self.count:
                self.ok("rm", "--ignore", "-f", "-t", "0", "-v", *[f"{self.prefix}-{n + 1}" for n in range(self.count)])
        finally:
            super().cleanup()


def cgroup_value(pid, controller, v1, v2):
    """A file of the process's cgroup: of the controller's hierarchy on v1, of the only one on v2."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return (CGROUPS / controller / path.lstrip("/") / v1).read_text().strip()
        if not names and (CGROUPS / "cgroup.controllers").exists():
            return (CGROUPS / path.lstrip("/") / v2).read_text().strip()
    raise Failure(f"process {pid} has no cgroup with {controller}")
