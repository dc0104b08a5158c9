# timeout: 1200
sqlite3 t.db "pragma journal_mode=wal; create table t(a integer primary key, b text); with recursive n(i) as (select 1 union all select i+1 from n where i < $((100000 / SCALE))) insert into t(b) select 'row' || i from n; select count(*), max(b) from t; pragma integrity_check;"
sqlite3 t.db 'create index i on t(b); select a from t where b = "row777"; vacuum; pragma wal_checkpoint;'
{ echo 'create table s(x);'; i=0; while [ $i -lt $((300 / SCALE)) ]; do echo "insert into s values ($i);"; i=$((i + 1)); done; echo 'select sum(x) from s;'; } | sqlite3 u.db
{ echo 'pragma journal_mode=wal; create table s(x); begin;'; seq -f 'insert into s values (%.0f);' 1 $((100000 / SCALE)); echo 'commit; select count(*), sum(x) from s;'; } | sqlite3 v.db
for i in 1 2 3 4; do (j=0; while [ $j -lt $(((19 + SCALE) / SCALE)) ]; do sqlite3 -cmd '.timeout 100000' v.db "insert into s values ($i$j);"; j=$((j + 1)); done) & done; wait; sqlite3 v.db 'select count(*) from s; pragma integrity_check'
sqlite3 v.db .dump | sqlite3 w.db; sqlite3 w.db 'select count(*) from s'
