bash -c 'set -m; sleep 1000 & kill -STOP %1; until [ "$(jobs -s)" ]; do sleep 0.05; done; jobs | sed "s/ *sleep.*//"; kill -KILL %1; while [ "$(jobs -s)" ]; do sleep 0.05; done; wait $!; echo $?' 2>/dev/null
# The job goes on when it has read what fg says.
mkfifo said; bash -c 'set -m; (read -r line <said; echo in) & fg %1 >said; echo after fg $?' 2>/dev/null
bash -c 'set -m; sleep 1000 & kill -STOP %%; until [ "$(jobs -s)" ]; do sleep 0.05; done; kill -CONT %%; until [ "$(jobs -r)" ]; do sleep 0.05; done; jobs -s | wc -l; disown %1; jobs | wc -l; kill $!' 2>/dev/null
bash -c 'sleep 0.1 & sleep 0.3 & wait -n; echo first; wait; echo all'
setsid -w sh -c 'ps -o pid= -o sid= -p $$ | awk "{ print (\$1 == \$2) }"'
timeout 0.3 sleep 1000; echo $?
timeout -s KILL 0.3 sleep 1000; echo $?
# SIGALRM is what timeout's own timer sends it, which does not know its child before it waits for that.
timeout -k 0.2 1000 sh -c 'trap "" TERM; until grep -q "^State:.S" /proc/$PPID/status; do sleep 0.01; done; kill -ALRM $PPID; sleep 1000; sleep 1000' >/dev/null; echo $?
script -qc 'stty -a | head -1 | cut -d";" -f2; tty | cut -c1-9; sleep 5 & jobs | wc -l; kill %1' /dev/null </dev/null | tr -d '\r' | head -3
nohup sh -c 'kill -HUP $$; echo survived' 2>/dev/null
nice -n 5 nice; nice -n 5 sh -c 'nice -n 3 nice'
