# timeout: 6000
# slow: minutes
# The modules of libpython3.11-testsuite that take long; see python-suite.
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
python3 suite.py test_signal test_threading test_subprocess test_io test_threadsignals test_wait3 test_wait4 test_fork1 test_selectors test_zipfile
