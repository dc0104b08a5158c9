# SPDX-License-Identifier: Apache-2.0
"""Cases of tests/programs: what the comments at the head of one say, and how it is run. `run` describes them."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In a network of its own, so that what else there is on this machine has no port of a case's.
OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
# The work directory is a tmpfs in both worlds, and nothing else can be written for good.
ON_ROOTFS = 'mount -t tmpfs tmp "$1/tmp" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && ' \
            'mount -t sysfs sys "$1/sys" && mount -t tmpfs home "$1/root" && mount -t tmpfs home "$1/var/tmp" && ' \
            'exec chroot "$1" sh -c "$2"'
ON_HOST = 'd=$(mktemp -d) && trap "rm -rf $d" EXIT && cd "$d" && mount -t proc proc /proc && sh -c "$2"'


class Case:
    def __init__(self, path, out, scale=1):
        """out: the directory of what cases build; scale: see `run`."""
        self.name, self.script = path.stem, path.read_text()
        self.out = out / self.name
        head = re.findall(r"^# (timeout|root|needs|build|sandbox|networks|slow): *(.*)$", self.script, re.M)
        get = lambda key, default: next((v for k, v in head if k == key), default)
        self.timeout = int(get("timeout", 600))
        self.host = get("root", "") == "host"
        self.slow = bool(get("slow", ""))
        self.networks = get("networks", "").split() or [None]
        self.only = get("sandbox", "") == "only"
        self.builds = [v for k, v in head if k == "build"]
        self.needs = get("needs", "").split()
        self.missing = [c for c in self.needs if not shutil.which(c)]
        self.env = {"SRC": str(HERE / "src"), "OUT": str(self.out)}
        self.exported = {"SCALE": str(scale)} | (self.env if self.host else {})

    def build(self):
        """What the commands said if one of them failed."""
        self.out.mkdir(parents=True, exist_ok=True)
        for command in self.builds:
            p = subprocess.run(["sh", "-c", command], env=dict(os.environ, **self.env), cwd=self.out,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if p.returncode:
                return p.stdout
        return None

    def command(self, directory):
        exports = "".join(f"{k}='{v}'; export {k}; " for k, v in self.exported.items())
        return f"{exports}cd {directory}\n{self.script}"


def run(argv, timeout):
    start = time.monotonic()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/",
                          env={"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8"}, start_new_session=True) as p:
        try:
            out = p.communicate(timeout=timeout)[0]
            status = p.returncode if p.returncode >= 0 else 128 - p.returncode
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out = p.communicate()[0]
            status = "timeout"
    return status, out.decode(errors="replace"), time.monotonic() - start


def on_linux(case, root):
    mounts, directory = (ON_HOST, ".") if case.host else (ON_ROOTFS, "/tmp")
    return run([*OWN_NETWORK, "unshare", "--mount", "--pid", "--fork", "sh", "-c", mounts, "sh", root, case.command(directory)],
               case.timeout)
