# timeout: 1200
# sandbox: only
# Stressors of each class at the same time for a few seconds; stress-ng.sh has them all, one after another.
stress-ng --cpu 1 --vm 1 --vm-bytes 32m --mmap 1 --mmap-bytes 16m --brk 1 --stack 1 --fork 1 --vfork 1 --exec 1 --pipe 1 --fifo 1 \
	--switch 1 --futex 1 --yield 1 --poll 1 --epoll 1 --hdd 1 --hdd-bytes 8m --dentry 1 --dir 1 --rename 1 --link 1 --symlink 1 \
	--lockf 1 --flock 1 --seek 1 --eventfd 1 --timer 1 --kill 1 --pthread 1 --sem 1 --msg 1 --mq 1 --shm 1 --sock 1 --mremap 1 \
	--timeout $((SCALE > 1 ? 4 : 10)) --oomable >log 2>&1
echo "status $?"
grep -cE 'successful run completed' log
