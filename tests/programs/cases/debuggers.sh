cat >g.c <<'END'
#include <pthread.h>
#include <stdio.h>
int f(int x) { int y = x * 2; return y + 1; }
static void *thread(void *p) { f(7); return 0; }
int main(void)
{
	pthread_t t;
	int s = 0;
	for (int i = 0; i < 3; i++) s += f(i);
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	return s;
}
END
gcc -g -O0 -pthread g.c -o g
gdb -q -batch -ex 'set confirm off' -ex 'break f' -ex run -ex bt -ex 'info args' -ex continue -ex next -ex 'print y' -ex stepi \
	-ex delete -ex 'tbreak thread' -ex continue -ex bt -ex 'print $mxcsr' -ex continue ./g 2>&1 |
	sed 's/0x[0-9a-f]*/ADDR/g; s/LWP [0-9]*/LWP/; s/process [0-9]*/process/' | grep -v -E '^warning|libthread_db|^\[(Thread|New)'
strace -f -e trace=clone3,exit_group,write -o st sh -c 'echo traced; ./g'; echo $?
grep -v resumed st | grep -c -E 'clone3|exited'; grep -o 'write(1, "traced' st
# Until strace has attached to $p.
attached() { until grep -q 'TracerPid:.[1-9]' /proc/$p/status; do sleep 0.05; done; }
sleep 1000 & p=$!; strace -q -p $p -o st2 & s=$!; attached; kill -USR1 $p; wait $p 2>/dev/null; echo "sleep $?"; wait $s; echo "strace $?"; grep -c 'SIGUSR1 {' st2
sleep 1000 & p=$!; strace -q -p $p -o st3 & s=$!; attached; kill -INT $s; wait $s; echo "interrupted $?"; grep TracerPid /proc/$p/status; kill -TERM $p; wait $p 2>/dev/null; echo "detached $?"
