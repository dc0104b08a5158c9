# timeout: 1200
# networks: host none
# nginx as server and proxy, over IPv4 and IPv6; curl.
set -e
mkdir -p /tmp/nginx/html /tmp/nginx/logs; cd /tmp/nginx
head -c $((3000000 / SCALE)) /dev/zero | tr '\0' x > html/big; echo hello > html/index.html
cat > nginx.conf <<X
worker_processes 2;
user root;
pid /tmp/nginx/pid;
error_log /tmp/nginx/error.log;
events { worker_connections 256; }
http { access_log off; sendfile on; client_body_temp_path /tmp/nginx/b; proxy_temp_path /tmp/nginx/p; fastcgi_temp_path /tmp/nginx/f; uwsgi_temp_path /tmp/nginx/u; scgi_temp_path /tmp/nginx/s;
 server { listen 127.0.0.1:18080 reuseport; listen [::1]:18080 reuseport; root /tmp/nginx/html; } 
 server { listen 127.0.0.1:18081; location / { proxy_pass http://127.0.0.1:18080; } } }
X
nginx -c /tmp/nginx/nginx.conf
curl -s http://127.0.0.1:18080/; curl -s 'http://[::1]:18080/'; curl -s http://127.0.0.1:18080/big | md5sum; curl -s http://127.0.0.1:18081/big | md5sum
for i in 1 2 3 4 5 6 7 8; do curl -s http://localhost:18081/ & done; wait
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:18080/nothing
kill -QUIT $(cat pid); while [ -e pid ]; do sleep 0.05; done
curl -s http://127.0.0.1:18080/ || echo refused $?
