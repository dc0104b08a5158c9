# SPDX-License-Identifier: Apache-2.0
"""What the console of tests/nested/init says, as lines for people and scripts/test.sh."""
import re


def console_of(out, n, test):
    """What the console showed of a test; nothing of one that never began."""
    m = re.search(rf"^BEGIN {n} {re.escape(test)}$(.*?)(?=^(BEGIN|RESULT) |\Z)", out, re.M | re.S)
    return [l for l in m[1].splitlines() if l and not l.startswith("ok ")][-40:] if m else []


def report(out, tests, machine):
    """Prints a line per test, with a word about the machine; how many passed."""
    results = {int(m[1]): (m[2], m[3]) for m in re.finditer(r"^RESULT (\d+) \S+ (\d+) (\S+)$", out, re.M)}
    passed = 0
    for n, test in enumerate(tests, 1):
        status, seconds = results.get(n, ("did not run", "0"))
        ok = status == "0"
        print(f"{'PASS' if ok else 'FAIL'} nested/{test} {machine} {seconds}s" + ("" if ok else f" status {status}"))
        if not ok:
            print("".join(f"    {l}\n" for l in console_of(out, n, test)), end="", flush=True)
        passed += ok
    if not results:
        print("".join(f"    {l}\n" for l in out.splitlines()[-20:]), end="", flush=True)
    return passed
