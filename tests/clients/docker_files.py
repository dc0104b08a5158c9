# SPDX-License-Identifier: Apache-2.0
"""Root file systems, volumes, cp, diff and commit: what the host changes is seen inside, and the other way round."""
import os
import stat

from harness import check, contains, equal


def test_cp(t):
    name = t.start("sleep", "1000")
    (t.tmp / "in").write_text("from the host\n")
    t.ok("cp", str(t.tmp / "in"), f"{name}:/root/in")
    equal(t.out("exec", name, "cat", "/root/in"), "from the host", "a file copied in")
    (t.tmp / "in").write_text("again, and longer than before\n")
    t.ok("cp", str(t.tmp / "in"), f"{name}:/root/in")
    equal(t.out("exec", name, "cat", "/root/in"), "again, and longer than before", "the file copied in again")
    t.ok("exec", name, "sh", "-c", "mkdir -p /root/d/e; echo inside > /root/d/e/f; chmod 640 /root/d/e/f; ln -s f /root/d/e/l")
    t.ok("cp", f"{name}:/root/d", str(t.tmp / "out"))
    equal((t.tmp / "out/e/f").read_text(), "inside\n", "a file copied out")
    equal(stat.S_IMODE((t.tmp / "out/e/f").stat().st_mode), 0o640, "its mode")
    equal(os.readlink(t.tmp / "out/e/l"), "f", "a link copied out")
    t.ok("cp", str(t.tmp / "out"), f"{name}:/root/back")
    equal(t.out("exec", name, "cat", "/root/back/e/l"), "inside", "a tree copied in")
    t.ok("exec", name, "rm", "-r", "/root/back")
    check(t.client("cp", f"{name}:/root/back", str(t.tmp / "gone")).status != 0, "what was removed inside is gone outside")


def test_cp_stopped(t):
    name = t.create("cat", "/in")
    (t.tmp / "in").write_text("before the start\n")
    t.ok("cp", str(t.tmp / "in"), f"{name}:/in")
    equal(t.out("start", "-a", name), "before the start", "a file copied in before the start")


def test_diff(t):
    name = t.start("sh", "-c", "echo x > /new; rm /var/kept/from-image; echo more >> /etc/group; mkdir /var/d; echo ready; sleep 1000")
    t.wait_log(name, "ready")
    lines = set(t.out("diff", name).splitlines())
    for want in ("A /new", "D /var/kept/from-image", "C /etc/group", "A /var/d"):
        check(want in lines, f"{want!r} in {sorted(lines)}")


def test_commit(t):
    name = t.start("sh", "-c", "echo committed > /new; rm /var/kept/from-image; chown 1000:1000 /new; chmod 4711 /new; echo ready; sleep 1000")
    t.wait_log(name, "ready")
    tag = f"{t.prefix}-commit"
    try:
        t.ok("commit", name, tag)
        equal(t.sh_out("cat /new; ls /var/kept; stat -c '%u:%g %a' /new", image=tag), "committed\n1000:1000 4711", "the new image")
    finally:
        t.client("rmi", "-f", tag)


def test_read_only(t):
    r = t.sh("touch /x; mkdir /tmp/y; echo z > /scratch/z && cat /scratch/z; mount | grep -c scratch",
             opts=["--read-only", "--tmpfs", "/scratch:size=1m,mode=1777"])
    equal(r.out, "z\n1\n", "what may be written")
    equal(r.err.count("Read-only file system"), 2, f"what may not ({r.err!r})")


def test_tmpfs(t):
    out = t.sh_out("df -k /scratch | tail -1 | awk '{print $2}'; stat -c %a /scratch; dd if=/dev/zero of=/scratch/f bs=1M count=9 2>&1 | grep -o 'No space left on device'",
                   opts=["--tmpfs", "/scratch:size=4m,mode=700"])
    equal(out.splitlines()[:2], ["4096", "700"], "size and mode")
    contains(out, "No space left", "its limit")


def test_bind(t):
    (t.tmp / "f").write_text("host\n")
    t.tmp.chmod(0o777)
    out = t.sh_out("cat /m/f; echo guest > /m/g; echo more >> /m/f; mv /m/f /m/h; ls /m | sort; touch /ro/x 2>&1 | grep -o 'Read-only file system'",
                   opts=["-v", f"{t.tmp}:/m", "-v", f"{t.tmp}:/ro:ro"])
    equal(out.splitlines(), ["host", "g", "h", "Read-only file system"], "inside")
    equal((t.tmp / "h").read_text(), "host\nmore\n", "a file written and renamed inside")
    equal((t.tmp / "g").read_text(), "guest\n", "a file made inside")
    equal((t.tmp / "g").stat().st_uid, 0, "its owner")


def test_bind_live(t):
    """A directory that both sides change while the container runs."""
    name = t.start("sleep", "1000", opts=["-v", f"{t.tmp}:/m"])
    for n in range(3):
        text = f"host {n}" + "x" * n * 100
        (t.tmp / "f").write_text(text)
        equal(t.out("exec", name, "cat", "/m/f"), text, "what the host wrote")
        (t.tmp / "f").unlink()
        check(t.client("exec", name, "cat", "/m/f").status != 0, "what the host removed is gone")
        t.ok("exec", name, "sh", "-c", f"echo guest {n} > /m/g")
        equal((t.tmp / "g").read_text(), f"guest {n}\n", "what the container wrote")
    (t.tmp / "d").mkdir()
    (t.tmp / "d/e").write_text("x")
    equal(t.out("exec", name, "ls", "/m/d"), "e", "a directory of the host")
    os.rename(t.tmp / "d", t.tmp / "d2")
    equal(t.out("exec", name, "sh", "-c", "ls /m/d2; ls /m/d 2>/dev/null; true"), "e", "after the host renamed it")


def test_bind_file(t):
    (t.tmp / "one").write_text("one file\n")
    out = t.sh_out("cat /etc/one; echo changed > /etc/one; rm /etc/one 2>&1 | grep -io 'busy'", opts=["-v", f"{t.tmp}/one:/etc/one"])
    equal(out.splitlines(), ["one file", "busy"], "inside")
    equal((t.tmp / "one").read_text(), "changed\n", "outside")


def test_volume(t):
    volume = f"{t.prefix}-volume"
    try:
        equal(t.sh_out("cat /var/kept/from-image; echo new > /var/kept/new", opts=["-v", f"{volume}:/var/kept"]), "image",
              "a new volume has what the image has there")
        equal(t.sh_out("ls /other", opts=["-v", f"{volume}:/other"]), "from-image\nnew", "the volume in another container")
        name = t.start("sleep", "1000", opts=["-v", f"{volume}:/v"])
        equal(t.sh_out("echo shared > /w/shared; cat /w/new", opts=["-v", f"{volume}:/w"]), "new", "two at once")
        equal(t.out("exec", name, "cat", "/v/shared"), "shared", "what another container wrote")
        equal(t.out("run", "--rm", *t.common(), "--volumes-from", name, "box", "cat", "/v/shared"), "shared", "--volumes-from")
        t.ok("rm", "-f", name)
    finally:
        t.client("volume", "rm", "-f", volume)


def test_devices(t):
    out = t.sh_out("echo $(ls /dev); echo x > /dev/null; head -c 4 /dev/zero | od -An -tx1; test -c /dev/urandom && echo ok")
    for d in ("fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"):
        check(d in out.split(), f"/dev/{d} in {out}")
    equal(out.splitlines()[-2:], [" 00 00 00 00", "ok"], "devices")


def test_root_semantics(t):
    """What programs do to a writable root: temporary files, links, renames over open files, special files, modes."""
    script = r"""
        cd /root; set -e
        exec 3<>open; rm open; echo unlinked >&3; cat /proc/self/fd/3
        echo a > a; ln a b; echo more >> b; cat a; stat -c %h a
        exec 4<a; echo new > c; mv c a; cat <&4; cat a
        echo long text > t; exec 5<>t; : > t; stat -c %s t
        mkfifo p; (echo fifo > p &) ; cat p
        mkdir d; chmod 2750 d; stat -c %a d; touch -d '2020-01-02 03:04:05' d; stat -c %Y d
        chown 12:34 d; stat -c %u:%g d; rmdir d; ls -d d 2>/dev/null || echo gone
        ln -s nowhere s; readlink s; mknod n c 1 3 && echo x > n && stat -c '%F %t:%T' n
        """
    want = ["unlinked", "a", "more", "2", "a", "more", "new", "0", "fifo", "2750", "1577934245", "12:34", "gone", "nowhere",
            "character special file 1:3"]
    equal(t.sh_out(script).splitlines(), want, "output")
