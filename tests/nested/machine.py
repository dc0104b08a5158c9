# SPDX-License-Identifier: Apache-2.0
"""The virtual machine of tests/nested and bench/nested: QEMU's TCG, which emulates AMD SVM, with Debian's cloud kernel.

Two bugs of QEMU 7.2 are kept away from the tests:
- A vCPU that restores x87 state (XRSTOR, FXRSTOR) writes flags of the *first* vCPU without any lock (cpu_clear_ignne in
  target/i386), and so now and then undoes what VMRUN or STGI has just set there: a guest goes on without nested paging and dies of
  a triple fault, or interrupts stay off for good. So the machine has three CPUs, of which the first runs nothing.
- A vCPU may go on executing a piece of kernel text that another one has patched: all of them then loop over a breakpoint in
  __schedule that is no longer there. Linux patches it with the first virtual machine that comes and the last that goes, so init
  holds one.
"""
import glob
import os
import select
import subprocess
import sys
import time


def kernel():
    images = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))
    if not images:
        sys.exit("nested: no /boot/vmlinuz-*-cloud-amd64 (package linux-image-cloud-amd64)\n0 passed, 1 failed")
    return images[-1], images[-1].removeprefix("/boot/vmlinuz-")


def boot(vmlinuz, initramfs, npt, log, timeout, append="", options=(), watch=None):
    """What the console showed. append: more of the kernel's command line; options: more of QEMU's; watch: a function that gets each
    line of the console as it comes (and None each second without one) and says whether the machine is to go on."""
    args = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3072", "-smp", "3", "-nographic",
            "-nodefaults", "-serial", "stdio", "-no-reboot", "-kernel", vmlinuz, "-initrd", str(initramfs),
            "-append", f"console=ttyS0 quiet panic=-1 no_timer_check npt={npt} {append}", *options]
    end = time.monotonic() + timeout
    with open(log, "wb") as console, \
         subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        pending = b""
        while True:
            ready = select.select([p.stdout], [], [], 1)[0]
            got = os.read(p.stdout.fileno(), 65536) if ready else b""
            if ready and not got:
                break
            console.write(got)
            console.flush()
            *lines, pending = (pending + got).split(b"\n")
            going = [watch(l.decode(errors="replace").rstrip("\r")) for l in lines] or [watch(None)] if watch else [True]
            if time.monotonic() > end or not all(going):
                console.write(b"\nnested: the virtual machine did not finish in time\n")
                p.kill()
                break
    return log.read_text(errors="replace").replace("\r", "")
