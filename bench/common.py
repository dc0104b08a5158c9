# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: runtimes to compare, bundles for them, processes and their memory, the table."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


class Runtime:
    """A column: how to run a bundle."""

    def __init__(self, name, command, state):
        self.name, self.command, self.state = name, command, state
        self.serial = 0

    def argv(self, bundle, *flags):
        self.serial += 1
        ident = f"bench-{self.name.replace(' ', '-')}-{os.getpid()}-{self.serial}"
        return ident, [*self.command, "--root", self.state, "run", *flags, "--bundle", bundle, ident]

    def verb(self, *args):
        """The argv of another command."""
        return [*self.command, "--root", self.state, *args]

    def delete(self, ident):
        subprocess.run([*self.command, "--root", self.state, "delete", "--force", ident], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


def libraries(program):
    """The files that a dynamic program needs, as the loader says."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for line in out.splitlines() for word in line.split() if word.startswith("/")]


def make_rootfs(root, build):
    for d in ("proc", "sys", "dev", "tmp", "bin"):
        (root / d).mkdir(parents=True)
    shutil.copy(build / "bench/bench_micro", root / "micro")
    for program in ("/bin/true", "/bin/sleep"):
        for f in [program, *libraries(program)]:
            target = root / f.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(f, target)


def make_bundle(where, root, args):
    where.mkdir()
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    ]
    (where / "config.json").write_text(json.dumps({
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
                    "env": ["PATH=/usr/bin:/bin"]},
        "root": {"path": str(root), "readonly": False},
        "hostname": "bench",
        "mounts": mounts,
        "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")]},
    }))
    return str(where)


def micro(argv, cwd):
    """What the microbenchmarks print, by name."""
    p = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False)
    values = {}
    for line in p.stdout.splitlines():
        name, _, value = line.partition(" ")
        try:
            values[name] = float(value)
        except ValueError:
            pass
    if p.returncode:
        print(f"bench: {' '.join(argv[:2])}...: status {p.returncode}: {p.stderr.strip()[-300:]}", file=sys.stderr)
    return values


def works(r, bundle):
    ident, argv = r.argv(bundle)
    status = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    r.delete(ident)
    return status == 0


def runtimes(build, state, other, bundle):
    runsc = str(build / "runsc")
    found = []
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        found.append(Runtime("kvm", [runsc, "--platform=kvm", "--overlay2=none"], state + "/kvm"))
    found.append(Runtime("ptrace", [runsc, "--platform=ptrace", "--overlay2=none"], state + "/ptrace"))
    for name in ("runc", "crun"):
        if shutil.which(name):
            found.append(Runtime(name, [name], f"{state}/{name}"))
            if not works(found[-1], bundle):
                found[-1] = Runtime(name + " without cgroups", [name, "--cgroup-manager=disabled"], f"{state}/{name}")
                if not works(found[-1], bundle):
                    print(f"bench: {name} does not run here: left out", file=sys.stderr)
                    found.pop()
    if other:
        found.append(Runtime("other runsc", [other], state + "/other"))
    return found


def descendants():
    """Every process below this one."""
    parent = {}
    for p in pathlib.Path("/proc").iterdir():
        if p.name.isdigit():
            try:
                parent[int(p.name)] = int((p / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass
    found, todo = [], [os.getpid()]
    while todo:
        top = todo.pop()
        children = [p for p, pp in parent.items() if pp == top]
        found += children
        todo += children
    return found


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def remove_cgroups():
    """Some runtimes leave the parents of their cgroups behind."""
    for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/bench-*-{os.getpid()}-*"):
        for d, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(d)
            except OSError:
                pass


def number(v):
    return "" if v is None else f"{v:.2f}" if v < 10 else f"{v:.1f}" if v < 1000 else f"{v:.0f}"


def print_table(columns, rows, reference="native"):
    """rows: (label, values by column). In brackets: the ratio to the reference's."""
    def cell(row, c):
        v, base = row[1].get(c), row[1].get(reference)
        if v is None:
            return "-"
        return number(v) + (f" ({v / base:.3g}x)" if base and c != reference else "")

    width = max(len(r[0]) for r in rows) + 2
    widths = {c: max(len(c), *(len(cell(r, c)) for r in rows)) for c in columns}
    print(" " * width + "  ".join(c.rjust(widths[c]) for c in columns))
    for row in rows:
        print(row[0].ljust(width) + "  ".join(cell(row, c).rjust(widths[c]) for c in columns))
