# timeout: 1800
# networks: host none
# PostgreSQL: initdb, a server on TCP and on a local socket, concurrent updates.
set -e
mkdir /tmp/pg; chown postgres /tmp/pg; cd /tmp
B=$(echo /usr/lib/postgresql/*/bin)
run() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
run $B/initdb -D /tmp/pg/d -A trust >/dev/null
run $B/pg_ctl -D /tmp/pg/d -w -t 120 -l /tmp/pg/log -o "-p 15432 -c listen_addresses=127.0.0.1,::1 -k /tmp" start >/dev/null
Q="psql -U postgres -p 15432 -At"
$Q -h 127.0.0.1 -c 'create table t(i int primary key, s text); insert into t select i, repeat(md5(i::text), 10) from generate_series(1,'$((5000 / SCALE / 4 * 4))') i; select count(*), sum(length(s)) from t'
$Q -h ::1 -c 'select md5(string_agg(s, chr(44) order by i)) from t'
$Q -h /tmp -c 'select client_addr is null from pg_stat_activity where pid=pg_backend_pid()'
for i in 1 2 3 4; do $Q -h 127.0.0.1 -c "update t set s=s||'x' where i%4=$i-1" & done; wait
$Q -h 127.0.0.1 -c 'select sum(length(s)) from t'
run $B/pg_ctl -D /tmp/pg/d -s -w -t 120 -m fast stop && echo stopped
