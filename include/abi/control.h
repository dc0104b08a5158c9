/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot parameters and control messages: flattened device trees. The host writes them with libfdt; the Sentry reads
 * them with lib/fdt.c. This header names their nodes and properties; all integers are big-endian cells as in every
 * device tree, strings are NUL-terminated, string lists are concatenated.
 *
 * Boot tree (at BOOT_FDT_PA):
 *   /memory    reg = <0 bytes-of-RAM-now>; limit = <u64>
 *   /cpus      count = <u32>; fpu-size = <u32>; xcr0 = <u64>; hwcap2 = <u32>
 *   /chosen    hostname; kernel-pml4 = <u64 x 16> (host placement: entries 208..223 of every PML4); debug; strace;
 *              platform = "kvm" | "ptrace"; placement = "host" | "guest"; file-access = "exclusive" | "shared";
 *              network = "none" | "host";
 *              rng-seed = 64 bytes
 *   /container as below: the first container, started at boot
 *
 * Container node:
 *   id; args = stringlist; program (absent: args[0], looked up in PATH); env = stringlist; cwd; uid; gid; additional-gids; umask;
 *   caps-effective, caps-permitted, caps-inheritable, caps-bounding, caps-ambient = <u64>; no-new-privs;
 *   terminal = <0|1>; hostname; domainname; rlimits = <resource soft hard as u32 u64 u64>*; oom-score-adj;
 *   limits: memory-limit, pids-limit = <u64> (0: none); for show: cpu-shares, cpu-quota, cpu-period = <u64>; cpuset-cpus,
 *   cpuset-mems; oom-disabled; and cgroup-v2: the layout that /sys/fs/cgroup has
 *   sched-policy, sched-priority, nice = <u32> (absent: as usual); io-priority = <u32>, as ioprio_set(2) (0: none)
 *   personality = <u32>; root-propagation = "private", "rslave" ...; masked-paths, readonly-paths = stringlist;
 *   sysctls = stringlist of "name=value"; seccomp = struct sock_filter []; seccomp-log (flag)
 *   devices { device@N { path; mode = <S_IF* | permissions>; major; minor; uid; gid = <u32> } }
 *   mortal-init (flag): a signal from the host that init does not handle ends it, though it is the first of its pid namespace
 *   hold (flag): set everything up, call HC_CREATED and wait for a "start" message before the program runs
 *   io = <u32>* : io numbers of descriptors 0, 1, 2, ...
 *   root { type = "gofer" | "overlay"; mount = <gofer mount index>; readonly; }   overlay: upper in memory
 *   mounts { mount@N { destination; type = "gofer" | "proc" | "sysfs" | "tmpfs" | "devtmpfs" | "devpts" | "mqueue"
 *            | "cgroup"; source; options = stringlist; readonly; mount = <gofer mount index>; overlay; } }
 *
 * Control message (CTL_NEXT) and its reply (CTL_REPLY):
 *   / { type; id = <u32> (the VMM's number of the request); container = ID (absent: the first one); ... }
 *   reply:  / { error = <i32>; message; ... }
 *   signal: signo; all; or pid = a process of the container, or exec = the id of an exec request; neither: its init
 *   start:  releases a container that is held; the reply comes when its program runs or cannot
 *   wait:   pid or exec as above; the reply, when the process has ended: status = <u32>, as of wait(2)
 *   exec:   io = <u32>* for the descriptors that came with it; host-pid = <u32>: who stands for the process on the host;
 *           process { args ... as in a container node }. The first reply: pid, exec; the second one: status. The process is
 *           killed when the connection closes before.
 *   create: a further container, with a container node as above (its io is that of the message; namespaces = <CLONE_NEW*>,
 *           those that it does not share with the first one); host-pid; directfs and mount-flags (VMM_MOUNT_*) = <u32>*
 *           describe the gofer's socket and mounts, which come before the other descriptors; the VMM adds mount-base = <u32>,
 *           the number of mount 0. Replies as for exec, the first one when the container is held or runs.
 *   pause, resume
 *   update: limits as in a container node; those that are absent stay
 *   processes: the reply: host-pids = <u32>* as told by exec; pids, ppids, uids, ttys (major << 20 | minor), starts (seconds
 *           of uptime), cpu-ms = <u32>*; names = stringlist; uptime = <u32>
 *   stats:  answered by the VMM: platform; placement = "host" | "guest"; why; tsc-why: why clocks do without the TSC, if they do;
 *           vcpu@N { exits { NAME = <u64> } hostcalls { NAME = <u64> } }; once the application runs, start: from, what happened
 *           ns = <u64> before its first instruction; held, if it was held for its start meanwhile; exits and hostcalls as above
 *   closed: request = <u32>: its connection has closed; from the VMM, without an id, not answered
 */
#ifndef ABI_CONTROL_H
#define ABI_CONTROL_H

#define CTL_MESSAGE_MAX 0x40000

#endif
