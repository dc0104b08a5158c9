/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call of x86-64 Linux and what we say of it: number, name, handler, support, note. Support is FULL,
 * PARTIAL (the note says what is missing) or NONE (ENOSYS, logged once). `runsc syscalls` and the documentation print
 * this list; syscall/table.c checks the numbers against the kernel's header.
 */
#ifndef SYSCALL_TABLE_H
#define SYSCALL_TABLE_H

#define SYSCALLS(S) \
	S(  0, read, sys_read, FULL, "") \
	S(  1, write, sys_write, FULL, "") \
	S(  2, open, sys_open, FULL, "") \
	S(  3, close, sys_close, FULL, "") \
	S(  4, stat, sys_stat, FULL, "") \
	S(  5, fstat, sys_fstat, FULL, "") \
	S(  6, lstat, sys_lstat, FULL, "") \
	S(  7, poll, sys_poll, FULL, "") \
	S(  8, lseek, sys_lseek, FULL, "") \
	S(  9, mmap, sys_mmap, FULL, "") \
	S( 10, mprotect, sys_mprotect, FULL, "") \
	S( 11, munmap, sys_munmap, FULL, "") \
	S( 12, brk, sys_brk, FULL, "") \
	S( 13, rt_sigaction, sys_rt_sigaction, FULL, "") \
	S( 14, rt_sigprocmask, sys_rt_sigprocmask, FULL, "") \
	S( 15, rt_sigreturn, sys_rt_sigreturn, FULL, "") \
	S( 16, ioctl, sys_ioctl, FULL, "") \
	S( 17, pread64, sys_pread64, FULL, "") \
	S( 18, pwrite64, sys_pwrite64, FULL, "") \
	S( 19, readv, sys_readv, FULL, "") \
	S( 20, writev, sys_writev, FULL, "") \
	S( 21, access, sys_access, FULL, "") \
	S( 22, pipe, sys_pipe, FULL, "") \
	S( 23, select, sys_select, FULL, "") \
	S( 24, sched_yield, sys_sched_yield, FULL, "") \
	S( 25, mremap, sys_mremap, FULL, "") \
	S( 26, msync, sys_msync, FULL, "") \
	S( 27, mincore, sys_mincore, FULL, "") \
	S( 28, madvise, sys_madvise, PARTIAL, "tuning advice is accepted without effect; no HWPOISON, COLLAPSE") \
	S( 29, shmget, sys_shmget, PARTIAL, "no huge pages") \
	S( 30, shmat, sys_shmat, FULL, "") \
	S( 31, shmctl, sys_shmctl, FULL, "") \
	S( 32, dup, sys_dup, FULL, "") \
	S( 33, dup2, sys_dup2, FULL, "") \
	S( 34, pause, sys_pause, FULL, "") \
	S( 35, nanosleep, sys_nanosleep, FULL, "") \
	S( 36, getitimer, sys_getitimer, FULL, "") \
	S( 37, alarm, sys_alarm, FULL, "") \
	S( 38, setitimer, sys_setitimer, FULL, "") \
	S( 39, getpid, sys_getpid, FULL, "") \
	S( 40, sendfile, sys_sendfile, FULL, "") \
	S( 41, socket, sys_socket, FULL, "") \
	S( 42, connect, sys_connect, FULL, "") \
	S( 43, accept, sys_accept, FULL, "") \
	S( 44, sendto, sys_sendto, FULL, "") \
	S( 45, recvfrom, sys_recvfrom, FULL, "") \
	S( 46, sendmsg, sys_sendmsg, FULL, "") \
	S( 47, recvmsg, sys_recvmsg, FULL, "") \
	S( 48, shutdown, sys_shutdown, FULL, "") \
	S( 49, bind, sys_bind, FULL, "") \
	S( 50, listen, sys_listen, FULL, "") \
	S( 51, getsockname, sys_getsockname, FULL, "") \
	S( 52, getpeername, sys_getpeername, FULL, "") \
	S( 53, socketpair, sys_socketpair, FULL, "") \
	S( 54, setsockopt, sys_setsockopt, FULL, "") \
	S( 55, getsockopt, sys_getsockopt, FULL, "") \
	S( 56, clone, sys_clone, PARTIAL, "no time namespaces; CLONE_SIGHAND alone copies") \
	S( 57, fork, sys_fork, FULL, "") \
	S( 58, vfork, sys_vfork, FULL, "") \
	S( 59, execve, sys_execve, FULL, "") \
	S( 60, exit, sys_exit, FULL, "") \
	S( 61, wait4, sys_wait4, FULL, "") \
	S( 62, kill, sys_kill, FULL, "") \
	S( 63, uname, sys_uname, FULL, "") \
	S( 64, semget, sys_semget, FULL, "") \
	S( 65, semop, sys_semop, FULL, "") \
	S( 66, semctl, sys_semctl, FULL, "") \
	S( 67, shmdt, sys_shmdt, FULL, "") \
	S( 68, msgget, sys_msgget, FULL, "") \
	S( 69, msgsnd, sys_msgsnd, FULL, "") \
	S( 70, msgrcv, sys_msgrcv, FULL, "") \
	S( 71, msgctl, sys_msgctl, FULL, "") \
	S( 72, fcntl, sys_fcntl, FULL, "") \
	S( 73, flock, sys_flock, FULL, "") \
	S( 74, fsync, sys_fsync, FULL, "") \
	S( 75, fdatasync, sys_fdatasync, FULL, "") \
	S( 76, truncate, sys_truncate, FULL, "") \
	S( 77, ftruncate, sys_ftruncate, FULL, "") \
	S( 78, getdents, sys_getdents, FULL, "") \
	S( 79, getcwd, sys_getcwd, FULL, "") \
	S( 80, chdir, sys_chdir, FULL, "") \
	S( 81, fchdir, sys_fchdir, FULL, "") \
	S( 82, rename, sys_rename, FULL, "") \
	S( 83, mkdir, sys_mkdir, FULL, "") \
	S( 84, rmdir, sys_rmdir, FULL, "") \
	S( 85, creat, sys_creat, FULL, "") \
	S( 86, link, sys_link, FULL, "") \
	S( 87, unlink, sys_unlink, FULL, "") \
	S( 88, symlink, sys_symlink, FULL, "") \
	S( 89, readlink, sys_readlink, FULL, "") \
	S( 90, chmod, sys_chmod, FULL, "") \
	S( 91, fchmod, sys_fchmod, FULL, "") \
	S( 92, chown, sys_chown, FULL, "") \
	S( 93, fchown, sys_fchown, FULL, "") \
	S( 94, lchown, sys_lchown, FULL, "") \
	S( 95, umask, sys_umask, FULL, "") \
	S( 96, gettimeofday, sys_gettimeofday, FULL, "") \
	S( 97, getrlimit, sys_getrlimit, FULL, "") \
	S( 98, getrusage, sys_getrusage, FULL, "") \
	S( 99, sysinfo, sys_sysinfo, FULL, "") \
	S(100, times, sys_times, FULL, "") \
	S(101, ptrace, sys_ptrace, PARTIAL, "no debug registers, PEEKSIGINFO, seccomp and dispatch requests") \
	S(102, getuid, sys_getuid, FULL, "") \
	S(103, syslog, sys_syslog, FULL, "") \
	S(104, getgid, sys_getgid, FULL, "") \
	S(105, setuid, sys_setuid, FULL, "") \
	S(106, setgid, sys_setgid, FULL, "") \
	S(107, geteuid, sys_geteuid, FULL, "") \
	S(108, getegid, sys_getegid, FULL, "") \
	S(109, setpgid, sys_setpgid, FULL, "") \
	S(110, getppid, sys_getppid, FULL, "") \
	S(111, getpgrp, sys_getpgrp, FULL, "") \
	S(112, setsid, sys_setsid, FULL, "") \
	S(113, setreuid, sys_setreuid, FULL, "") \
	S(114, setregid, sys_setregid, FULL, "") \
	S(115, getgroups, sys_getgroups, FULL, "") \
	S(116, setgroups, sys_setgroups, FULL, "") \
	S(117, setresuid, sys_setresuid, FULL, "") \
	S(118, getresuid, sys_getresuid, FULL, "") \
	S(119, setresgid, sys_setresgid, FULL, "") \
	S(120, getresgid, sys_getresgid, FULL, "") \
	S(121, getpgid, sys_getpgid, FULL, "") \
	S(122, setfsuid, sys_setfsuid, FULL, "") \
	S(123, setfsgid, sys_setfsgid, FULL, "") \
	S(124, getsid, sys_getsid, FULL, "") \
	S(125, capget, sys_capget, FULL, "") \
	S(126, capset, sys_capset, FULL, "") \
	S(127, rt_sigpending, sys_rt_sigpending, FULL, "") \
	S(128, rt_sigtimedwait, sys_rt_sigtimedwait, FULL, "") \
	S(129, rt_sigqueueinfo, sys_rt_sigqueueinfo, FULL, "") \
	S(130, rt_sigsuspend, sys_rt_sigsuspend, FULL, "") \
	S(131, sigaltstack, sys_sigaltstack, FULL, "") \
	S(132, utime, sys_utime, FULL, "") \
	S(133, mknod, sys_mknod, FULL, "") \
	S(134, uselib, sys_enosys, NONE, "removed from Linux or never in it") \
	S(135, personality, sys_personality, FULL, "") \
	S(136, ustat, sys_enosys, NONE, "removed from Linux or never in it") \
	S(137, statfs, sys_statfs, FULL, "") \
	S(138, fstatfs, sys_fstatfs, FULL, "") \
	S(139, sysfs, sys_enosys, NONE, "obsolete; a kernel option that distributions leave off") \
	S(140, getpriority, sys_getpriority, FULL, "") \
	S(141, setpriority, sys_setpriority, FULL, "") \
	S(142, sched_setparam, sys_sched_setparam, FULL, "") \
	S(143, sched_getparam, sys_sched_getparam, FULL, "") \
	S(144, sched_setscheduler, sys_sched_setscheduler, FULL, "") \
	S(145, sched_getscheduler, sys_sched_getscheduler, FULL, "") \
	S(146, sched_get_priority_max, sys_sched_get_priority_max, FULL, "") \
	S(147, sched_get_priority_min, sys_sched_get_priority_min, FULL, "") \
	S(148, sched_rr_get_interval, sys_sched_rr_get_interval, FULL, "") \
	S(149, mlock, sys_mlock, FULL, "") \
	S(150, munlock, sys_munlock, FULL, "") \
	S(151, mlockall, sys_mlockall, FULL, "") \
	S(152, munlockall, sys_munlockall, FULL, "") \
	S(153, vhangup, sys_vhangup, FULL, "") \
	S(154, modify_ldt, sys_enosys, NONE, "no segment or port access") \
	S(155, pivot_root, sys_pivot_root, FULL, "") \
	S(156, _sysctl, sys_enosys, NONE, "removed from Linux or never in it") \
	S(157, prctl, sys_prctl, FULL, "") \
	S(158, arch_prctl, sys_arch_prctl, FULL, "") \
	S(159, adjtimex, sys_adjtimex, FULL, "") \
	S(160, setrlimit, sys_setrlimit, FULL, "") \
	S(161, chroot, sys_chroot, FULL, "") \
	S(162, sync, sys_sync, FULL, "") \
	S(163, acct, sys_enosys, NONE, "no quotas or accounting") \
	S(164, settimeofday, sys_settimeofday, FULL, "") \
	S(165, mount, sys_mount, FULL, "") \
	S(166, umount2, sys_umount2, FULL, "") \
	S(167, swapon, sys_enosys, NONE, "no swap") \
	S(168, swapoff, sys_enosys, NONE, "no swap") \
	S(169, reboot, sys_reboot, FULL, "") \
	S(170, sethostname, sys_sethostname, FULL, "") \
	S(171, setdomainname, sys_setdomainname, FULL, "") \
	S(172, iopl, sys_enosys, NONE, "no segment or port access") \
	S(173, ioperm, sys_enosys, NONE, "no segment or port access") \
	S(174, create_module, sys_enosys, NONE, "removed from Linux or never in it") \
	S(175, init_module, sys_enosys, NONE, "no loadable kernel code") \
	S(176, delete_module, sys_enosys, NONE, "no loadable kernel code") \
	S(177, get_kernel_syms, sys_enosys, NONE, "removed from Linux or never in it") \
	S(178, query_module, sys_enosys, NONE, "removed from Linux or never in it") \
	S(179, quotactl, sys_enosys, NONE, "no quotas or accounting") \
	S(180, nfsservctl, sys_enosys, NONE, "removed from Linux or never in it") \
	S(181, getpmsg, sys_enosys, NONE, "removed from Linux or never in it") \
	S(182, putpmsg, sys_enosys, NONE, "removed from Linux or never in it") \
	S(183, afs_syscall, sys_enosys, NONE, "removed from Linux or never in it") \
	S(184, tuxcall, sys_enosys, NONE, "removed from Linux or never in it") \
	S(185, security, sys_enosys, NONE, "removed from Linux or never in it") \
	S(186, gettid, sys_gettid, FULL, "") \
	S(187, readahead, sys_readahead, FULL, "") \
	S(188, setxattr, sys_setxattr, FULL, "") \
	S(189, lsetxattr, sys_lsetxattr, FULL, "") \
	S(190, fsetxattr, sys_fsetxattr, FULL, "") \
	S(191, getxattr, sys_getxattr, FULL, "") \
	S(192, lgetxattr, sys_lgetxattr, FULL, "") \
	S(193, fgetxattr, sys_fgetxattr, FULL, "") \
	S(194, listxattr, sys_listxattr, FULL, "") \
	S(195, llistxattr, sys_llistxattr, FULL, "") \
	S(196, flistxattr, sys_flistxattr, FULL, "") \
	S(197, removexattr, sys_removexattr, FULL, "") \
	S(198, lremovexattr, sys_lremovexattr, FULL, "") \
	S(199, fremovexattr, sys_fremovexattr, FULL, "") \
	S(200, tkill, sys_tkill, FULL, "") \
	S(201, time, sys_time, FULL, "") \
	S(202, futex, sys_futex, FULL, "") \
	S(203, sched_setaffinity, sys_sched_setaffinity, FULL, "") \
	S(204, sched_getaffinity, sys_sched_getaffinity, FULL, "") \
	S(205, set_thread_area, sys_enosys, NONE, "for 32-bit programs only") \
	S(206, io_setup, sys_io_setup, FULL, "") \
	S(207, io_destroy, sys_io_destroy, FULL, "") \
	S(208, io_getevents, sys_io_getevents, FULL, "") \
	S(209, io_submit, sys_io_submit, PARTIAL, "synchronous; no IOCB_CMD_POLL") \
	S(210, io_cancel, sys_io_cancel, PARTIAL, "nothing is ever pending") \
	S(211, get_thread_area, sys_enosys, NONE, "for 32-bit programs only") \
	S(212, lookup_dcookie, sys_enosys, NONE, "removed from Linux or never in it") \
	S(213, epoll_create, sys_epoll_create, FULL, "") \
	S(214, epoll_ctl_old, sys_enosys, NONE, "removed from Linux or never in it") \
	S(215, epoll_wait_old, sys_enosys, NONE, "removed from Linux or never in it") \
	S(216, remap_file_pages, sys_remap_file_pages, FULL, "") \
	S(217, getdents64, sys_getdents64, FULL, "") \
	S(218, set_tid_address, sys_set_tid_address, FULL, "") \
	S(219, restart_syscall, sys_restart_syscall, FULL, "") \
	S(220, semtimedop, sys_semtimedop, FULL, "") \
	S(221, fadvise64, sys_fadvise64, FULL, "") \
	S(222, timer_create, sys_timer_create, FULL, "") \
	S(223, timer_settime, sys_timer_settime, FULL, "") \
	S(224, timer_gettime, sys_timer_gettime, FULL, "") \
	S(225, timer_getoverrun, sys_timer_getoverrun, FULL, "") \
	S(226, timer_delete, sys_timer_delete, FULL, "") \
	S(227, clock_settime, sys_clock_settime, FULL, "") \
	S(228, clock_gettime, sys_clock_gettime, FULL, "") \
	S(229, clock_getres, sys_clock_getres, FULL, "") \
	S(230, clock_nanosleep, sys_clock_nanosleep, FULL, "") \
	S(231, exit_group, sys_exit_group, FULL, "") \
	S(232, epoll_wait, sys_epoll_wait, FULL, "") \
	S(233, epoll_ctl, sys_epoll_ctl, FULL, "") \
	S(234, tgkill, sys_tgkill, FULL, "") \
	S(235, utimes, sys_utimes, FULL, "") \
	S(236, vserver, sys_enosys, NONE, "removed from Linux or never in it") \
	S(237, mbind, sys_mbind, PARTIAL, "one memory node: checked, not remembered") \
	S(238, set_mempolicy, sys_set_mempolicy, PARTIAL, "one memory node: checked, not remembered") \
	S(239, get_mempolicy, sys_get_mempolicy, PARTIAL, "always MPOL_DEFAULT") \
	S(240, mq_open, sys_mq_open, FULL, "") \
	S(241, mq_unlink, sys_mq_unlink, FULL, "") \
	S(242, mq_timedsend, sys_mq_timedsend, FULL, "") \
	S(243, mq_timedreceive, sys_mq_timedreceive, FULL, "") \
	S(244, mq_notify, sys_mq_notify, PARTIAL, "no SIGEV_THREAD") \
	S(245, mq_getsetattr, sys_mq_getsetattr, FULL, "") \
	S(246, kexec_load, sys_enosys, NONE, "no loadable kernel code") \
	S(247, waitid, sys_waitid, FULL, "") \
	S(248, add_key, sys_enosys, NONE, "no key rings") \
	S(249, request_key, sys_enosys, NONE, "no key rings") \
	S(250, keyctl, sys_enosys, NONE, "no key rings") \
	S(251, ioprio_set, sys_ioprio_set, FULL, "") \
	S(252, ioprio_get, sys_ioprio_get, FULL, "") \
	S(253, inotify_init, sys_inotify_init, FULL, "") \
	S(254, inotify_add_watch, sys_inotify_add_watch, FULL, "") \
	S(255, inotify_rm_watch, sys_inotify_rm_watch, FULL, "") \
	S(256, migrate_pages, sys_enosys, NONE, "one memory node") \
	S(257, openat, sys_openat, FULL, "") \
	S(258, mkdirat, sys_mkdirat, FULL, "") \
	S(259, mknodat, sys_mknodat, FULL, "") \
	S(260, fchownat, sys_fchownat, FULL, "") \
	S(261, futimesat, sys_futimesat, FULL, "") \
	S(262, newfstatat, sys_newfstatat, FULL, "") \
	S(263, unlinkat, sys_unlinkat, FULL, "") \
	S(264, renameat, sys_renameat, FULL, "") \
	S(265, linkat, sys_linkat, FULL, "") \
	S(266, symlinkat, sys_symlinkat, FULL, "") \
	S(267, readlinkat, sys_readlinkat, FULL, "") \
	S(268, fchmodat, sys_fchmodat, FULL, "") \
	S(269, faccessat, sys_faccessat, FULL, "") \
	S(270, pselect6, sys_pselect6, FULL, "") \
	S(271, ppoll, sys_ppoll, FULL, "") \
	S(272, unshare, sys_unshare, PARTIAL, "no time namespaces") \
	S(273, set_robust_list, sys_set_robust_list, FULL, "") \
	S(274, get_robust_list, sys_get_robust_list, FULL, "") \
	S(275, splice, sys_splice, FULL, "") \
	S(276, tee, sys_tee, FULL, "") \
	S(277, sync_file_range, sys_sync_file_range, FULL, "") \
	S(278, vmsplice, sys_vmsplice, FULL, "") \
	S(279, move_pages, sys_enosys, NONE, "one memory node") \
	S(280, utimensat, sys_utimensat, FULL, "") \
	S(281, epoll_pwait, sys_epoll_pwait, FULL, "") \
	S(282, signalfd, sys_signalfd, FULL, "") \
	S(283, timerfd_create, sys_timerfd_create, FULL, "") \
	S(284, eventfd, sys_eventfd, FULL, "") \
	S(285, fallocate, sys_fallocate, FULL, "") \
	S(286, timerfd_settime, sys_timerfd_settime, FULL, "") \
	S(287, timerfd_gettime, sys_timerfd_gettime, FULL, "") \
	S(288, accept4, sys_accept4, FULL, "") \
	S(289, signalfd4, sys_signalfd4, FULL, "") \
	S(290, eventfd2, sys_eventfd2, FULL, "") \
	S(291, epoll_create1, sys_epoll_create1, FULL, "") \
	S(292, dup3, sys_dup3, FULL, "") \
	S(293, pipe2, sys_pipe2, FULL, "") \
	S(294, inotify_init1, sys_inotify_init1, FULL, "") \
	S(295, preadv, sys_preadv, FULL, "") \
	S(296, pwritev, sys_pwritev, FULL, "") \
	S(297, rt_tgsigqueueinfo, sys_rt_tgsigqueueinfo, FULL, "") \
	S(298, perf_event_open, sys_enosys, NONE, "not offered inside the sandbox") \
	S(299, recvmmsg, sys_recvmmsg, FULL, "") \
	S(300, fanotify_init, sys_enosys, NONE, "not offered inside the sandbox") \
	S(301, fanotify_mark, sys_enosys, NONE, "not offered inside the sandbox") \
	S(302, prlimit64, sys_prlimit64, FULL, "") \
	S(303, name_to_handle_at, sys_enosys, NONE, "no stable handles") \
	S(304, open_by_handle_at, sys_enosys, NONE, "no stable handles") \
	S(305, clock_adjtime, sys_clock_adjtime, FULL, "") \
	S(306, syncfs, sys_syncfs, FULL, "") \
	S(307, sendmmsg, sys_sendmmsg, FULL, "") \
	S(308, setns, sys_setns, FULL, "") \
	S(309, getcpu, sys_getcpu, FULL, "") \
	S(310, process_vm_readv, sys_process_vm_readv, FULL, "") \
	S(311, process_vm_writev, sys_process_vm_writev, FULL, "") \
	S(312, kcmp, sys_kcmp, PARTIAL, "no KCMP_EPOLL_TFD") \
	S(313, finit_module, sys_enosys, NONE, "no loadable kernel code") \
	S(314, sched_setattr, sys_sched_setattr, FULL, "") \
	S(315, sched_getattr, sys_sched_getattr, FULL, "") \
	S(316, renameat2, sys_renameat2, FULL, "") \
	S(317, seccomp, sys_seccomp, PARTIAL, "no user notification") \
	S(318, getrandom, sys_getrandom, FULL, "") \
	S(319, memfd_create, sys_memfd_create, FULL, "") \
	S(320, kexec_file_load, sys_enosys, NONE, "no loadable kernel code") \
	S(321, bpf, sys_enosys, NONE, "not offered inside the sandbox") \
	S(322, execveat, sys_execveat, FULL, "") \
	S(323, userfaultfd, sys_enosys, NONE, "not offered inside the sandbox") \
	S(324, membarrier, sys_membarrier, FULL, "") \
	S(325, mlock2, sys_mlock2, FULL, "") \
	S(326, copy_file_range, sys_copy_file_range, FULL, "") \
	S(327, preadv2, sys_preadv2, FULL, "") \
	S(328, pwritev2, sys_pwritev2, FULL, "") \
	S(329, pkey_mprotect, sys_pkey_mprotect, FULL, "") \
	S(330, pkey_alloc, sys_pkey_alloc, FULL, "") \
	S(331, pkey_free, sys_pkey_free, FULL, "") \
	S(332, statx, sys_statx, FULL, "") \
	S(333, io_pgetevents, sys_io_pgetevents, FULL, "") \
	S(334, rseq, sys_rseq, FULL, "") \
	S(424, pidfd_send_signal, sys_pidfd_send_signal, FULL, "") \
	S(425, io_uring_setup, sys_enosys, NONE, "disabled, as container runtimes do") \
	S(426, io_uring_enter, sys_enosys, NONE, "disabled, as container runtimes do") \
	S(427, io_uring_register, sys_enosys, NONE, "disabled, as container runtimes do") \
	S(428, open_tree, sys_open_tree, FULL, "") \
	S(429, move_mount, sys_move_mount, PARTIAL, "no propagation groups") \
	S(430, fsopen, sys_fsopen, FULL, "") \
	S(431, fsconfig, sys_fsconfig, PARTIAL, "flags and strings; checked at creation") \
	S(432, fsmount, sys_fsmount, FULL, "") \
	S(433, fspick, sys_fspick, FULL, "") \
	S(434, pidfd_open, sys_pidfd_open, FULL, "") \
	S(435, clone3, sys_clone3, PARTIAL, "no time namespaces, no CLONE_INTO_CGROUP") \
	S(436, close_range, sys_close_range, FULL, "") \
	S(437, openat2, sys_openat2, FULL, "") \
	S(438, pidfd_getfd, sys_pidfd_getfd, FULL, "") \
	S(439, faccessat2, sys_faccessat2, FULL, "") \
	S(440, process_madvise, sys_enosys, NONE, "for a later release") \
	S(441, epoll_pwait2, sys_epoll_pwait2, FULL, "") \
	S(442, mount_setattr, sys_mount_setattr, PARTIAL, "no idmapped mounts; nothing propagates") \
	S(443, quotactl_fd, sys_enosys, NONE, "no quotas or accounting") \
	S(444, landlock_create_ruleset, sys_enosys, NONE, "for a later release") \
	S(445, landlock_add_rule, sys_enosys, NONE, "for a later release") \
	S(446, landlock_restrict_self, sys_enosys, NONE, "for a later release") \
	S(447, memfd_secret, sys_enosys, NONE, "for a later release") \
	S(448, process_mrelease, sys_enosys, NONE, "for a later release") \
	S(449, futex_waitv, sys_futex_waitv, FULL, "") \
	S(450, set_mempolicy_home_node, sys_enosys, NONE, "one memory node")

#endif
