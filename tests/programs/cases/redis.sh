# timeout: 1200
# networks: host none
# A redis server, its command line tool and its benchmark.
set -e
cd /tmp; redis-server --port 16379 --bind 127.0.0.1 ::1 --save '' --daemonize yes --pidfile /tmp/redis.pid --logfile /tmp/redis.log >/dev/null
until redis-cli -p 16379 ping >/dev/null 2>&1; do sleep 0.1; done
redis-cli -p 16379 ping; redis-cli -p 16379 set a 1; redis-cli -p 16379 incr a; redis-cli -h ::1 -p 16379 get a
redis-benchmark -p 16379 -n $((3000 / SCALE)) -c 20 -t set,get,lrange_100 -q | wc -l
redis-cli -p 16379 subscribe ch >sub.out 2>&1 & until [ "$(redis-cli -p 16379 publish ch hi)" = 1 ]; do sleep 0.1; done
redis-cli -p 16379 shutdown nosave; wait $! || cat sub.out; while [ -e /tmp/redis.pid ]; do sleep 0.1; done; redis-cli -p 16379 ping || echo gone
