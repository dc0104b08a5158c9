# timeout: 1200
# networks: host none
# HTTP and datagrams of Python and Node.
set -e
cd /tmp; mkdir w; cd w; seq 1 20000 > f.txt
python3 -m http.server 18090 --bind 127.0.0.1 >/dev/null 2>&1 & p=$!
python3 - <<'X'
import urllib.request, time, hashlib
for i in range(600):
    try: d=urllib.request.urlopen('http://127.0.0.1:18090/f.txt').read(); break
    except OSError: time.sleep(0.1)
print(hashlib.md5(d).hexdigest())
import asyncio
async def handle(r, w):
    while d := await r.read(4096):
        w.write(d); await w.drain()
    w.close()
async def client(port, i):
    r, w = await asyncio.open_connection('localhost', port)
    w.write(b'%d' % i * 5000); w.write_eof()
    d = await r.read(-1); w.close()
    return len(d)
async def main():
    s = await asyncio.start_server(handle, 'localhost', 0)
    print(len(s.sockets))
    ports = [x.getsockname()[1] for x in s.sockets]
    s2 = await asyncio.start_server(handle, '127.0.0.1', 0)
    print(sum(await asyncio.gather(*[client(s2.sockets[0].getsockname()[1], i) for i in range(50)])))
    class E(asyncio.DatagramProtocol):
        def connection_made(self, t): self.t = t
        def datagram_received(self, d, a): self.t.sendto(d, a)
    class C(asyncio.DatagramProtocol):
        def __init__(self, f): self.f = f
        def connection_made(self, t): t.sendto(b'ping')
        def datagram_received(self, d, a): self.f.set_result(d)
    loop = asyncio.get_running_loop()
    t, _ = await loop.create_datagram_endpoint(E, local_addr=('::1', 0))
    f = loop.create_future()
    await loop.create_datagram_endpoint(lambda: C(f), remote_addr=t.get_extra_info('sockname')[:2])
    print(await f)
asyncio.run(main())
X
kill $p
cat > s.js <<'X'
const http = require('http'), os = require('os'), dgram = require('dgram');
const s = http.createServer((q, r) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => r.end(q.method + ' ' + n)); });
s.listen(0, 'localhost', () => {
  let left = 20;
  for (let i = 0; i < 20; i++) {
    const q = http.request({ port: s.address().port, host: 'localhost', method: 'POST' }, r => {
      let d = ''; r.on('data', x => d += x); r.on('end', () => { if (i == 19) console.log(d); if (!--left) s.close(); });
    });
    q.end(Buffer.alloc(100000 + (i == 19)));
  }
});
console.log(!!os.networkInterfaces().lo);
const u = dgram.createSocket('udp4'); u.on('message', m => { console.log(String(m)); u.close(); }); u.bind(0, '127.0.0.1', () => u.send('dgram', u.address().port, '127.0.0.1'));
X
node s.js | sort
