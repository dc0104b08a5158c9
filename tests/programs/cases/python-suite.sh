# timeout: 120
# Debian's libpython3.11-testsuite, test by test: whatever Linux answers. The long modules are in python-suite-long.
# Left out: what sets the clock, which under Linux is everybody's.
cat >suite.py <<'PY'
import subprocess, sys, xml.etree.ElementTree as xml
skip = ["test_monotonic_settime", "test_no_leaking"]
modules = sys.argv[1:]
subprocess.run([sys.executable, "-m", "test", "--junit-xml", "r.xml", *(x for s in skip for x in ("-i", s)), *modules],
               stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
for case in sorted(xml.parse("r.xml").iter("testcase"), key=lambda c: c.get("name")):
    bad = [c.tag for c in case if c.tag in ("error", "failure", "skipped")]
    print(case.get("name"), bad or case.get("result"))
PY
modules="test_os test_posix test_mmap test_fcntl test_select test_epoll test_time test_tempfile test_shutil test_file test_pty test_thread test_popen test_pathlib test_glob test_resource"
[ "$SCALE" = 1 ] || modules="test_posix test_mmap test_fcntl test_select test_epoll test_pty test_thread test_popen test_resource"
# shellcheck disable=SC2086
python3 suite.py $modules
