/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that syscalls.c makes, and of what kind their arguments are: one letter each, which argument() there
 * explains. `c` is one value of the call's list and `F` some of its values together; a list ends at END, and where a
 * call has several lists, each `c` and `F` takes the next. Calls that are not here are made by hand there (fork, exec,
 * signal handlers), never (what stops the fuzzer itself), or answer ENOSYS.
 */
#ifndef TESTS_FUZZ_SYSCALLS_TABLE_H
#define TESTS_FUZZ_SYSCALLS_TABLE_H

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>

#define END 0x656e64656e64ull

struct call {
	const char *name;
	int number;
	const char *kinds;
	const uint64_t *values;
};

/* clang-format off */
#define C(name, kinds) { #name, SYS_##name, kinds, (const uint64_t[]){ END, END } }
#define V(name, kinds, ...) { #name, SYS_##name, kinds, (const uint64_t[]){ __VA_ARGS__, END, END } }
/* clang-format on */

#define OPEN_FLAGS \
	O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK, O_NONBLOCK, O_NONBLOCK, O_NONBLOCK, \
		O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, O_PATH, O_TMPFILE, O_SYNC, O_ASYNC, O_DIRECT
#define AT_FLAGS AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH, 1
#define MSG_FLAGS \
	MSG_DONTWAIT, MSG_DONTWAIT, MSG_PEEK, MSG_OOB, MSG_WAITALL, MSG_TRUNC, MSG_NOSIGNAL, MSG_EOR, MSG_MORE, \
		MSG_CMSG_CLOEXEC, MSG_ERRQUEUE
#define RWF_FLAGS 1, 2, 4, 8, 16
#define NAMESPACES \
	CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWPID, CLONE_NEWCGROUP, CLONE_FS, \
		CLONE_FILES, CLONE_SYSVSEM
#define SOCKET_LEVELS SOL_SOCKET, 0, 6, 17, 41, 270
#define FUTEX_OPS \
	FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, \
		FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, \
		FUTEX_LOCK_PI2
#define PRIVATE(op) (op) | FUTEX_PRIVATE_FLAG
#define MS_SOME \
	MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_BIND, MS_MOVE, MS_REC, MS_SHARED, MS_PRIVATE, \
		MS_SLAVE, MS_UNBINDABLE, MS_NOATIME
#define CLOCKS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, (uint64_t)-2, (uint64_t)-6
#define MAP_SOME \
	MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_NORESERVE, MAP_GROWSDOWN, MAP_POPULATE, MAP_LOCKED, MAP_STACK
#define PROT_SOME PROT_READ, PROT_READ, PROT_WRITE, PROT_WRITE, PROT_EXEC

static const struct call calls[] = {
	/* descriptors */
	C(read, "fbl"), C(write, "fbl"), C(readv, "fVi"), C(writev, "fVi"), C(pread64, "fblo"), C(pwrite64, "fblo"),
	C(preadv, "fVioo"), C(pwritev, "fVioo"), V(preadv2, "fVioxF", RWF_FLAGS), V(pwritev2, "fVioxF", RWF_FLAGS),
	V(lseek, "foc", 0, 1, 2, 3, 4), C(close, "f"), V(close_range, "nnF", 2, 4), C(dup, "f"), C(dup2, "fn"),
	V(dup3, "fnF", O_CLOEXEC),
	V(fcntl, "fcx", F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETPIPE_SZ, F_GETPIPE_SZ,
	  F_ADD_SEALS, F_GET_SEALS, F_SETLEASE, F_GETLEASE, F_NOTIFY, F_SETSIG, F_GETSIG, F_GETOWN),
	V(fcntl, "fcL", F_SETLK, F_SETLKW, F_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_OFD_GETLK), V(fcntl, "fct", F_SETOWN),
	V(fcntl, "fcb", F_SETOWN_EX, F_GETOWN_EX, F_GET_RW_HINT, F_SET_RW_HINT),
	V(ioctl, "fcb", TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGPTN, TIOCSPTLCK, TIOCGWINSZ, TIOCSWINSZ, FIONREAD, FIONBIO,
	  FIOASYNC, TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSTI, TIOCPKT, TIOCSETD, TIOCGETD, TIOCOUTQ,
	  TIOCGPTPEER, TCXONC, TCFLSH, TCSBRK, TIOCEXCL, TIOCNXCL, TIOCCONS, FIOCLEX, FIONCLEX, 0x8910, 0x8912, 0x8913,
	  0x8914, 0x8915, 0x8921, 0x8927, 0x8933, 0x8905, 0x8906, 0xb701, 0xb702, 0xb703, 0xb704, 0x660b, 0x80086601,
	  0x40086602, 0x40045431, 0x80045430, 0x5450, 0x5451),
	C(ioctl, "fxb"), V(flock, "fF", 1, 2, 4, 8), C(fsync, "f"), C(fdatasync, "f"), C(syncfs, "f"), C(ftruncate, "fo"),
	C(truncate, "po"), V(fallocate, "fFoo", 1, 2, 8, 16, 32), V(fadvise64, "foox", 0),
	V(sync_file_range, "fooF", 1, 2, 4), C(readahead, "fol"), C(sendfile, "ffbl"), V(splice, "fbfblF", 1, 2, 4, 8),
	V(tee, "fflF", 1, 2, 4), V(vmsplice, "fViF", 1, 2, 4, 8), C(copy_file_range, "fbfbli"), C(fstat, "fb"),
	C(fstatfs, "fb"), C(getdents, "fbl"), C(getdents64, "fbl"), C(fchmod, "fi"), C(fchown, "fuu"), C(fchdir, "f"),
	C(fsetxattr, "fNbli"), C(fgetxattr, "fNbl"), C(flistxattr, "fbl"), C(fremovexattr, "fN"), C(kcmp, "ttiff"),
	/* paths */
	V(open, "pFi", OPEN_FLAGS), V(openat, "dpFi", OPEN_FLAGS), C(openat2, "dpKl"), C(creat, "pi"), C(stat, "pb"),
	C(lstat, "pb"), V(newfstatat, "dpbF", AT_FLAGS), V(statx, "dpFxb", AT_FLAGS), C(statfs, "pb"), C(access, "pi"),
	C(faccessat, "dpi"), V(faccessat2, "dpiF", AT_FLAGS, 0x200), C(mkdir, "pi"), C(mkdirat, "dpi"), C(rmdir, "p"),
	C(unlink, "p"), V(unlinkat, "dpF", AT_REMOVEDIR), C(rename, "pp"), C(renameat, "dpdp"),
	V(renameat2, "dpdpF", 1, 2, 4), C(link, "pp"), V(linkat, "dpdpF", AT_FLAGS), C(symlink, "pp"), C(symlinkat, "pdp"),
	C(readlink, "pbl"), C(readlinkat, "dpbl"), C(chmod, "pi"), C(fchmodat, "dpi"), C(chown, "puu"), C(lchown, "puu"),
	V(fchownat, "dpuuF", AT_FLAGS),
	V(mknod, "pcx", S_IFREG | 0644, S_IFIFO | 0666, S_IFSOCK | 0644, S_IFCHR | 0666, S_IFBLK | 0644),
	V(mknodat, "dpcx", S_IFREG | 0644, S_IFIFO | 0666, S_IFSOCK | 0644, S_IFCHR | 0666), C(utime, "pT"),
	C(utimes, "pI"), C(futimesat, "dpI"), V(utimensat, "dpIF", AT_FLAGS), C(chdir, "p"), C(getcwd, "bl"), C(umask, "i"),
	C(chroot, "p"), C(setxattr, "pNbli"), C(lsetxattr, "pNbli"), C(getxattr, "pNbl"), C(lgetxattr, "pNbl"),
	C(listxattr, "pbl"), C(llistxattr, "pbl"), C(removexattr, "pN"), C(lremovexattr, "pN"), C(sync, ""),
	C(pivot_root, "pp"), V(mount, "ppNFN", MS_SOME), V(umount2, "pF", 1, 2, 4, 8),
	V(open_tree, "dpF", 1, O_CLOEXEC, AT_RECURSIVE, AT_EMPTY_PATH), V(move_mount, "dpdpF", 1, 2, 4, 0x10, 0x20, 0x40),
	V(fsopen, "NF", 1), V(fsconfig, "fcNNi", 0, 1, 2, 3, 4, 5, 6, 7), V(fsmount, "fFF", 1, END, 1, 2, 4, 8),
	V(fspick, "dpF", 1, 2, 4, 8), V(mount_setattr, "dpFbc", AT_FLAGS, AT_RECURSIVE, END, 32),
	/* things with a descriptor of their own */
	V(pipe2, "bF", O_NONBLOCK, O_CLOEXEC, O_DIRECT), V(eventfd2, "iF", 1, O_NONBLOCK, O_CLOEXEC),
	V(epoll_create1, "F", O_CLOEXEC), C(epoll_create, "i"), V(epoll_ctl, "fcfE", 1, 2, 3), V(epoll_ctl, "fcfE", 1),
	C(epoll_wait, "fbii"), C(epoll_pwait, "fbiigG"), C(epoll_pwait2, "fbiTgG"),
	V(inotify_init1, "F", O_NONBLOCK, O_CLOEXEC),
	V(inotify_add_watch, "fpF", IN_ALL_EVENTS, IN_MODIFY, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_MASK_ADD, IN_MASK_CREATE,
	  IN_ONESHOT, IN_ONLYDIR),
	C(inotify_rm_watch, "fi"), V(signalfd4, "fgGF", O_NONBLOCK, O_CLOEXEC),
	V(timerfd_create, "cF", CLOCKS, END, O_NONBLOCK, O_CLOEXEC), V(timerfd_settime, "fFIb", 1, 2),
	C(timerfd_gettime, "fb"), V(memfd_create, "NF", 1, 2, 4), V(pidfd_open, "tF", O_NONBLOCK),
	C(pidfd_send_signal, "fsQi"), C(pidfd_getfd, "ffi"), C(poll, "Pii"), C(ppoll, "PiTgG"), C(select, "ibbbT"),
	C(pselect6, "ibbbTb"),
	/* sockets */
	V(socket, "ccc", 1, 2, 10, 16, 17, 0, END, 1, 2, 3, 5, 1 | O_NONBLOCK, 2 | O_NONBLOCK, END, 0, 0, 0, 1, 6, 15, 17,
	  58),
	V(socketpair, "cccb", 1, 1, 1, 2, END, 1, 2, 5, 1 | O_NONBLOCK, END, 0), C(bind, "faA"), C(connect, "faA"),
	C(listen, "fi"), C(accept, "fbb"), V(accept4, "fbbF", O_NONBLOCK, O_CLOEXEC), C(getsockname, "fbb"),
	C(getpeername, "fbb"), V(shutdown, "fc", 0, 1, 2), V(sendto, "fblFaA", MSG_FLAGS), V(recvfrom, "fblFbb", MSG_FLAGS),
	V(sendmsg, "fHF", MSG_FLAGS), V(recvmsg, "fHF", MSG_FLAGS), V(sendmmsg, "fHiF", MSG_FLAGS),
	V(recvmmsg, "fHiFT", MSG_FLAGS, 0x10000), V(setsockopt, "fcibi", SOCKET_LEVELS),
	V(getsockopt, "fcibb", SOCKET_LEVELS),
	V(setsockopt, "fccbi", SOL_SOCKET, END, SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF, SO_LINGER, SO_PASSCRED, SO_RCVTIMEO,
	  SO_SNDTIMEO, SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_PEEK_OFF, SO_BINDTODEVICE, SO_KEEPALIVE, SO_OOBINLINE),
	/* memory, in the arena */
	V(mmap, "mMFFfo", PROT_SOME, END, MAP_SOME),
	V(mmap, "mMFcfo", PROT_SOME, END, MAP_SHARED | MAP_FIXED, MAP_PRIVATE | MAP_FIXED),
	V(mmap, "mMFcfo", PROT_SOME, END, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
	  MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN, MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS),
	C(munmap, "mM"), V(mremap, "mMMFm", 1, 2, 4), V(mprotect, "mMF", PROT_SOME, PROT_GROWSDOWN),
	V(pkey_mprotect, "mMFi", PROT_SOME), C(pkey_alloc, "ii"), C(pkey_free, "i"),
	V(madvise, "mMc", 0, 1, 2, 3, 4, 4, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 100),
	V(msync, "mMF", 1, 2, 4), C(mincore, "mMb"), C(mlock, "mM"), C(mlock2, "mMi"), C(munlock, "mM"),
	V(mlockall, "F", 1, 2, 4), C(munlockall, ""), V(remap_file_pages, "mMciF", 0, END, MAP_NONBLOCK),
	V(process_vm_readv, "tViVic", 0), V(process_vm_writev, "cViVic", 0, END, 0), C(brk, "x"), C(mbind, "mMibii"),
	C(get_mempolicy, "bbimi"), C(set_mempolicy, "ibi"), V(membarrier, "ci", 0, 1, 2, 4, 8, 16, 32, 64, 128, 256),
	V(shmget, "clF", 0, 1, 2, END, IPC_CREAT, IPC_EXCL, 0666, SHM_NORESERVE),
	V(shmat, "imF", SHM_RDONLY, SHM_REMAP, SHM_RND, SHM_EXEC), C(shmdt, "m"),
	V(shmctl, "icb", 0, 1, 2, 3, 11, 12, 13, 14, 15), V(futex, "wciTwi", FUTEX_OPS), V(futex, "wciiwi", FUTEX_OPS),
	V(futex, "wciTwi", PRIVATE(FUTEX_WAIT), PRIVATE(FUTEX_WAKE), PRIVATE(FUTEX_LOCK_PI), PRIVATE(FUTEX_UNLOCK_PI),
	  PRIVATE(FUTEX_WAIT_REQUEUE_PI)),
	V(futex, "wciiwi", PRIVATE(FUTEX_CMP_REQUEUE_PI), PRIVATE(FUTEX_REQUEUE), PRIVATE(FUTEX_WAKE_OP)),
	V(futex_waitv, "biiTc", 0, 1), C(set_robust_list, "bl"), C(get_robust_list, "tbb"), V(rseq, "bcix", 32),
	C(set_tid_address, "w"),
	/* time */
	V(clock_gettime, "cb", CLOCKS), V(clock_getres, "cb", CLOCKS), V(clock_nanosleep, "cFTb", CLOCKS, END, 1),
	C(nanosleep, "Tb"), C(getitimer, "ib"), V(setitimer, "cIb", 0, 1, 2), C(alarm, "i"), V(timer_create, "cQb", CLOCKS),
	V(timer_settime, "iFIb", 1), C(timer_gettime, "ib"), C(timer_getoverrun, "i"), C(timer_delete, "i"),
	C(gettimeofday, "bb"), C(time, "b"), C(times, "b"), V(clock_adjtime, "cb", CLOCKS), C(adjtimex, "b"),
	/* tasks and signals */
	C(kill, "ts"), C(tkill, "ts"), C(tgkill, "tts"), C(rt_sigqueueinfo, "tsQ"), C(rt_tgsigqueueinfo, "ttsQ"),
	C(rt_sigpending, "gG"), C(rt_sigtimedwait, "gbTG"), C(rt_sigsuspend, "gG"), V(rt_sigprocmask, "cgbG", 0, 1, 2),
	C(pause, ""), C(restart_syscall, ""), C(sigaltstack, "bb"), V(wait4, "tbFb", 1, 2, 8, 0x20000000, 0x40000000),
	V(waitid, "ctbFb", 0, 1, 2, 3, END, 1, 2, 4, 8, 0x1000000, 0x40000000),
	V(ptrace, "ctbb", PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_DETACH, PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP,
	  PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_GETFPREGS, PTRACE_SETFPREGS, PTRACE_PEEKDATA, PTRACE_POKEDATA,
	  PTRACE_PEEKUSER, PTRACE_POKEUSER, PTRACE_SETOPTIONS, PTRACE_GETEVENTMSG, PTRACE_GETSIGINFO, PTRACE_SETSIGINFO,
	  PTRACE_GETREGSET, PTRACE_SETREGSET, PTRACE_INTERRUPT, PTRACE_LISTEN, PTRACE_GETSIGMASK, PTRACE_SETSIGMASK,
	  PTRACE_KILL, PTRACE_TRACEME, PTRACE_GET_SYSCALL_INFO, PTRACE_SECCOMP_GET_FILTER, PTRACE_GET_RSEQ_CONFIGURATION),
	V(unshare, "F", NAMESPACES), V(setns, "fF", NAMESPACES), C(setpgid, "tt"), C(getpgid, "t"), C(getsid, "t"),
	C(setsid, ""), C(getpriority, "iu"), C(setpriority, "iti"), C(sched_yield, ""),
	V(sched_setscheduler, "tcb", 0, 3, 5), C(sched_getscheduler, "t"), C(sched_getparam, "tb"),
	C(sched_getattr, "tbii"), C(sched_setaffinity, "tlb"), C(sched_getaffinity, "tlb"), C(sched_rr_get_interval, "tb"),
	C(ioprio_get, "it"), C(ioprio_set, "iti"), C(getrlimit, "ib"),
	V(prlimit64, "tcRb", RLIMIT_CPU, RLIMIT_CORE, RLIMIT_STACK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_SIGPENDING),
	C(getrusage, "ib"), C(getcpu, "bbb"), C(capget, "bb"), C(capset, "bb"),
	V(prctl, "cxxxx", PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_GET_SECUREBITS,
	  PR_SET_TIMERSLACK, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ, PR_CAP_AMBIENT,
	  PR_SET_THP_DISABLE, PR_SET_TSC, PR_GET_SECCOMP),
	V(prctl, "cbbbb", PR_SET_NAME, PR_GET_NAME, PR_GET_PDEATHSIG, PR_GET_TID_ADDRESS, PR_GET_CHILD_SUBREAPER,
	  PR_GET_TSC),
	V(prctl, "cimMN", PR_SET_MM, 0x53564d41), V(arch_prctl, "cb", 0x1003, 0x1004, 0x1011, 0x1012),
	V(personality, "c", 0, 0xffffffff, 0x0040000, 0x400000), V(seccomp, "cFB", 1, 1, 2, 3, END, 1, 2, 4),
	C(getrandom, "bli"),
	/* ids and the rest */
	C(setuid, "u"), C(setgid, "u"), C(setreuid, "uu"), C(setregid, "uu"), C(setresuid, "uuu"), C(setresgid, "uuu"),
	C(getresuid, "bbb"), C(getresgid, "bbb"), C(setfsuid, "u"), C(setfsgid, "u"), C(getgroups, "ib"),
	C(setgroups, "ib"), C(uname, "b"), C(sethostname, "Ni"), C(setdomainname, "Ni"), C(sysinfo, "b"),
	V(syslog, "cbl", 2, 3, 4, 5, 8, 9, 10),
	/* System V and POSIX queues, aio */
	V(semget, "ciF", 0, 1, 2, END, IPC_CREAT, IPC_EXCL, 0666), C(semop, "iSi"), C(semtimedop, "iSiT"),
	V(semctl, "iicb", 0, 1, 2, 3, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20),
	V(msgget, "cF", 0, 1, 2, END, IPC_CREAT, IPC_EXCL, 0666), V(msgsnd, "ibiF", 04000, 1),
	V(msgrcv, "ibiiF", 04000, 010000, 020000, 040000), V(msgctl, "icb", 0, 1, 2, 3, 11, 12, 13),
	V(mq_open, "NFib", O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK), C(mq_unlink, "N"), C(mq_timedsend, "fbliT"),
	C(mq_timedreceive, "fblbT"), C(mq_notify, "fQ"), C(mq_getsetattr, "fbb"), C(io_setup, "ib"), C(io_destroy, "w"),
	C(io_submit, "bib"), C(io_getevents, "biibT"), C(io_cancel, "bbb")};

#endif
