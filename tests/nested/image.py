# SPDX-License-Identifier: Apache-2.0
"""What the virtual machines of tests/nested start from: an initial root file system and a disk.

The initial root file system is a slice of Debian, runsc, and what init runs. The slice, which a machine may do without, is what a
few packages and all that they depend on put into the root file system of tests/programs, without documentation. It goes into an
uncompressed cpio archive, since the emulated machine would need longer to unpack one.

The disk is all of the root file system of tests/programs, read-only. It is kept in BUILD/cache, and made again when that has changed.
"""
import os
import pathlib
import re
import shutil
import subprocess
import zlib

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["bash", "coreutils", "dash", "grep", "sed", "gawk", "findutils", "diffutils", "tar", "gzip", "python3", "procps",
            "util-linux", "base-files", "base-passwd", "libc-bin", "iproute2", "mount"]
UNWANTED = re.compile(r"/usr/share/(doc|man|locale|info|bug|lintian|zoneinfo|i18n|bash-completion)/|/gconv/")
APPLETS = ["sh", "mount", "insmod", "poweroff", "timeout", "cp", "mkdir", "switch_root", "cut", "sed", "cat", "ls", "taskset",
           "unshare", "ip", "ln", "rm"]
# Of this machine, where it has them: what is not in the root file system of tests/programs but cases over the root of a machine need.
COMMANDS = ["bwrap", "busybox"]
MODULES = ["virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-amd.ko", "arch/x86/kvm/kvm-intel.ko"] + \
          [f"drivers/virtio/{m}.ko" for m in ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci")] + \
          ["drivers/block/virtio_blk.ko"]
# That of machine.py.
MACHINE = {"module": "kvm-amd", "cpus": "6", "hold": "1"}


def closure(debian):
    """PACKAGES and what they depend on, of those that are installed."""
    depends, seen, todo = {}, set(), list(PACKAGES)
    for record in (debian / "var/lib/dpkg/status").read_text().split("\n\n"):
        field = dict(re.findall(r"^([A-Za-z-]+): (.*)$", record, re.M))
        if "Package" in field:
            both = ",".join([field.get("Depends", ""), field.get("Pre-Depends", "")])
            depends[field["Package"]] = re.findall(r"(?:^|,) *([a-z0-9][a-z0-9+.-]*)", both)
    while todo:
        name = todo.pop()
        if name in depends and name not in seen:
            seen.add(name)
            todo += depends[name]
    return sorted(seen)


def copy_slice(debian, root):
    for link in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]:
        if (debian / link).is_symlink():
            (root / link).symlink_to(os.readlink(debian / link))
            (root / os.readlink(debian / link)).mkdir(parents=True, exist_ok=True)
    for name in closure(debian):
        for listing in (debian / "var/lib/dpkg/info").glob(name + ".list"), (debian / "var/lib/dpkg/info").glob(name + ":*.list"):
            for path in (line for l in listing for line in l.read_text().splitlines()):
                if not UNWANTED.search(path + "/"):
                    copy_one(debian, root, path.lstrip("/"))
    for name in ["etc/passwd", "etc/group", "usr/bin/awk", "etc/alternatives/awk"]:
        copy_one(debian, root, name)
    subprocess.run(["ldconfig", "-r", str(root)], check=True)


def copy_one(debian, root, path):
    """A file, with what Python compiled of it; directories and links as they are. Through the links of a merged /usr."""
    source, dest = debian / path, root / path
    if os.path.lexists(dest) or not os.path.lexists(source):
        return
    if source.is_dir() and not source.is_symlink():
        dest.mkdir(parents=True)
        shutil.copystat(source, dest)
        return
    dest.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, dest, follow_symlinks=False)
    if source.suffix == ".py":
        for compiled in (source.parent / "__pycache__").glob(source.stem + ".cpython-*.pyc"):
            (dest.parent / "__pycache__").mkdir(exist_ok=True)
            shutil.copy2(compiled, dest.parent / "__pycache__")


def copy_with_libraries(source, root, dest):
    shutil.copy2(source, root / dest)
    for lib in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", source], capture_output=True, text=True).stdout):
        copy_one(pathlib.Path("/"), root, os.path.realpath(lib).lstrip("/"))
        target = root / lib.lstrip("/")
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(lib, target)


def copy_modules(version, root):
    for name in MODULES:
        source = pathlib.Path(f"/lib/modules/{version}/kernel/{name}")
        if source.exists():
            shutil.copy2(source, root / "modules")
        else:
            (root / "modules" / source.name).write_bytes(subprocess.check_output(["xz", "-dc", str(source) + ".xz"]))


def copy_cases(cases, wanted, root):
    """What init needs to run them. wanted: their output where it is known, see init."""
    for case in cases:
        if case.host:
            case.exported = {**case.exported, "OUT": f"/tests/out/{case.name}"}
            for built in case.out.glob("*"):
                (root / "tests/out" / case.name).mkdir(parents=True, exist_ok=True)
                copy_with_libraries(str(built), root, f"tests/out/{case.name}/{built.name}")
        (root / "tests/cases" / (case.name + ".sh")).write_text(case.command("/tmp"))
        if case.name in wanted:
            (root / "tests/want" / case.name).write_text(wanted[case.name])
    for command in filter(None, map(shutil.which, COMMANDS)):
        copy_with_libraries(command, root, "usr/bin/" + os.path.basename(command))
    for loader in pathlib.Path("/lib").glob("ld-musl-*.so.1"):
        copy_one(pathlib.Path("/"), root, os.path.realpath(loader).lstrip("/"))
        copy_one(pathlib.Path("/"), root, str(loader).lstrip("/"))


def disk(debian, cache):
    """The path of the image of the root file system DEBIAN."""
    out = cache / f"nested-{zlib.crc32(str(debian).encode()):08x}.ext4"
    # Under /var cases leave traces that nobody sees.
    find = ["find", str(debian), "-xdev", "-path", str(debian / "var"), "-prune", "-o",
            "-type", "f", "-cnewer", str(out), "-print", "-quit"]
    if out.exists() and not subprocess.check_output(find):
        return out
    cache.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    part.unlink(missing_ok=True)
    mib = int(subprocess.check_output(["du", "-sxm", str(debian)], text=True).split()[0])
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-i", "8192", "-d", str(debian), str(part),
                    f"{mib + mib // 8 + 64}M"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    part.rename(out)
    return out


def make(build, debian, version, tests, out, extra=(), machine=None, cases=(), wanted=None):
    """Writes the archive. debian: root file system of tests/programs, or None: no slice, and of the programs of tests/abi only
    those that tests names. tests: lines of /tests/list, see init; extra: files that go into /tests, too. machine: see MACHINE.
    cases: of tests/programs; wanted: see copy_cases."""
    root = out.parent / (out.stem + "-root")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    if debian:
        copy_slice(debian, root)
    for d in ["dev", "etc", "proc", "sys", "tmp", "run", "root", "tests/cases", "tests/want", "modules", "debian", "new", "bb", "bin",
              "usr/local/bin"]:
        (root / d).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2("/bin/busybox", root / "bb/busybox")
    for applet in APPLETS:
        (root / "bb" / applet).symlink_to("busybox")
    if not debian:
        (root / "bin/sh").symlink_to("/bb/sh")
    copy_modules(version, root)
    copy_with_libraries(str(build / "runsc"), root, "usr/local/bin/runsc")
    for program in ["page_tables", "hostile_guest"]:
        copy_with_libraries(str(build / "tests/kvm" / program), root, "tests/" + program)
    for program in (build / "tests/abi").glob("abi_*"):
        if not program.is_file():
            continue
        if debian:
            shutil.copy2(program, root / "tests")
        elif any(t.endswith("/" + program.name.removeprefix("abi_")) for t in tests):
            subprocess.run(["strip", "-o", root / "tests" / program.name, program], check=True)
    for path in extra:
        shutil.copy2(path, root / "tests")
    if cases:
        copy_cases(cases, wanted, root)
    (root / "tests/machine").write_text("".join(f"{k}={v}\n" for k, v in (machine or MACHINE).items()))
    (root / "tests/list").write_text("".join(t + "\n" for t in tests))
    shutil.copy2(HERE / "init", root / "init")
    with open(out, "wb") as archive:
        names = subprocess.Popen(["find", ".", "-mindepth", "1"], cwd=root, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=root, stdin=names.stdout, stdout=archive, check=True)
        if names.wait():
            raise OSError("find failed")
    shutil.rmtree(root)
