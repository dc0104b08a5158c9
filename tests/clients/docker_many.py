# SPDX-License-Identifier: Apache-2.0
"""Many containers at once."""
import concurrent.futures
import os

from harness import check, equal

AT_ONCE = 30
ROUNDS = int(os.environ.get("ROUNDS", "2"))


def test_many(t):
    """Thirty started and stopped in parallel, ROUNDS times (runc, the reference, once); what is left is checked at the end of all."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(1 if t.runtime == "runc" else ROUNDS):
            names = [t.new_name() for _ in range(AT_ONCE)]
            started = list(pool.map(lambda n: t.client("run", "-d", "--name", n, *t.common(), "box", "sh", "-c",
                                                       "trap 'exit 7' TERM; echo up; while :; do sleep 0.2; done", timeout=180), names))
            bad = [r for r in started if r.status]
            check(not bad, f"{len(bad)} of {AT_ONCE} did not start: {bad[:2]}")
            for n in names:
                t.wait_log(n, "up")
            stopped = list(pool.map(lambda n: t.client("stop", "-t", "60", n, timeout=180), names))
            bad = [r for r in stopped if r.status]
            check(not bad, f"{len(bad)} of {AT_ONCE} did not stop: {bad[:2]}")
            equal({t.inspect(n, "State.ExitCode") for n in names}, {"7"}, "statuses")
            t.ok("rm", *names, timeout=180)
            equal(t.engine.states(), [], "states left")


test_many.alone = True
