# timeout: 1200
python3 -c 'import os, sys, json, subprocess, threading, hashlib; print(sys.version_info[:2]); print(json.dumps({"a": [1, 2.5, None]})); print(subprocess.run(["echo", "sub"], capture_output=True).stdout); r = []; t = [threading.Thread(target=lambda i=i: r.append(i)) for i in range(10)]; [x.start() for x in t]; [x.join() for x in t]; print(sorted(r)); print(hashlib.sha256(b"x" * 1000000).hexdigest())'
python3 -c 'import multiprocessing as m, asyncio; p = m.get_context("fork").Pool(4); print(p.map(abs, range(-5, 5))); p.close(); p.join(); asyncio.run(asyncio.sleep(0.1)); print(asyncio.run(asyncio.wait_for(asyncio.sleep(0, 5), 100)))'
python3 -c 'import sqlite3; c = sqlite3.connect("t.db"); c.execute("pragma journal_mode=wal"); c.execute("create table t(a integer primary key, b text)"); c.executemany("insert into t(b) values (?)", ((str(i),) for i in range(20000 // '$SCALE'))); c.commit(); print(c.execute("select count(*), sum(a) from t").fetchone())'
python3 -c 'import mmap, os; f = open("m", "w+b"); f.truncate(1 << 20); m = mmap.mmap(f.fileno(), 1 << 20); m[5000:5005] = b"hello"; m.flush(); print(open("m", "rb").read()[5000:5005]); p = os.fork(); (m.__setitem__(slice(0, 3), b"kid"), os._exit(0)) if p == 0 else os.waitpid(p, 0); print(m[:3])'
python3 -c 'import concurrent.futures as c; print(sum(c.ThreadPoolExecutor(8).map(lambda x: x * x, range(1000))))'
cat >t.py <<'END'
import concurrent.futures as c, glob, os, pathlib, select, shutil, signal, socket, tempfile, time
def f(x): return x * x
if __name__ == "__main__":
    with c.ProcessPoolExecutor(4) as e: print(sum(e.map(f, range(200), chunksize=10)))
    d = tempfile.mkdtemp(); [pathlib.Path(d, f"f{i}").write_text("x" * i) for i in range(100)]
    print(len(glob.glob(d + "/*")), sum(p.stat().st_size for p in pathlib.Path(d).iterdir())); shutil.rmtree(d); print(os.path.exists(d))
    hits = []; signal.signal(signal.SIGALRM, lambda *a: hits.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    while len(hits) < 5: time.sleep(1)
    signal.setitimer(signal.ITIMER_REAL, 0); print("signals")
    a, b = socket.socketpair(); a.sendall(b"pair"); print(b.recv(10))
    p = select.epoll(); p.register(b, select.EPOLLIN); a.send(b"!"); print(len(p.poll(1)))
END
python3 t.py
python3 -m venv --without-pip v && v/bin/python -c 'print("venv")'
