bash -c 'set -m; sleep 30 & sleep 0.2; kill -STOP %1; sleep 0.2; jobs | sed "s/ *sleep.*//"; kill -KILL %1; sleep 0.2; wait %1; echo $?' 2>/dev/null
bash -c 'set -m; (sleep 0.1; echo in) & fg %1 >/dev/null; echo after fg $?' 2>/dev/null
bash -c 'set -m; sleep 20 & kill -STOP %%; sleep 0.1; kill -CONT %%; sleep 0.1; jobs -r | wc -l; disown %1; jobs | wc -l; kill $!' 2>/dev/null
bash -c 'sleep 0.1 & sleep 0.3 & wait -n; echo first; wait; echo all'
setsid -w sh -c 'ps -o pid= -o sid= -p $$ | awk "{ print (\$1 == \$2) }"'
timeout 0.3 sleep 10; echo $?
timeout -s KILL 0.3 sleep 10; echo $?
timeout -k 0.2 2 sh -c 'trap "" TERM; sleep 5; sleep 5' >/dev/null; echo $?
script -qc 'stty -a | head -1 | cut -d";" -f2; tty | cut -c1-9; sleep 5 & jobs | wc -l; kill %1' /dev/null </dev/null | tr -d '\r' | head -3
nohup sh -c 'kill -HUP $$; echo survived' 2>/dev/null
nice -n 5 nice; nice -n 5 sh -c 'nice -n 3 nice'
