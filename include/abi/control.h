/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot parameters and control messages: flattened device trees. The host writes them with libfdt; the Sentry reads
 * them with lib/fdt.c. This header names their nodes and properties; all integers are big-endian cells as in every
 * device tree, strings are NUL-terminated, string lists are concatenated.
 *
 * Boot tree (at BOOT_FDT_PA):
 *   /memory    reg = <0 bytes-of-RAM-now>; limit = <u64>
 *   /cpus      count = <u32>; fpu-size = <u32>; xcr0 = <u64>
 *   /chosen    hostname; kernel-pml4 = <u64 x 16> (host placement: entries 208..223 of every PML4); debug; strace;
 *              platform = "kvm" | "ptrace"; placement = "host" | "guest"; file-access = "exclusive" | "shared";
 *              network = "none" | "host";
 *              rng-seed = 64 bytes
 *   /container as below: the first container, started at boot
 *
 * Container node:
 *   id; args = stringlist; env = stringlist; cwd; uid; gid; additional-gids; umask;
 *   caps-effective, caps-permitted, caps-inheritable, caps-bounding, caps-ambient = <u64>; no-new-privs;
 *   terminal = <0|1>; hostname; rlimits = <resource soft hard as u32 u64 u64>*; oom-score-adj;
 *   memory-limit, pids-limit = <u64> (0: none)
 *   io = <u32>* : io numbers of descriptors 0, 1, 2, ...
 *   root { type = "gofer" | "overlay"; mount = <gofer mount index>; readonly; }   overlay: upper in memory
 *   mounts { mount@N { destination; type = "gofer" | "proc" | "sysfs" | "tmpfs" | "devtmpfs" | "devpts" | "mqueue"
 *            | "cgroup"; source; options = stringlist; readonly; mount = <gofer mount index>; overlay; } }
 *
 * Control message (CTL_NEXT) and its reply (CTL_REPLY):
 *   / { type = "signal" | "exec" | "wait" | "processes" | "debug"; id = <u32>; ... }
 *   signal: signo, pid (0: the container's init), all
 *   reply:  / { error = <i32>; message; ... }
 */
#ifndef ABI_CONTROL_H
#define ABI_CONTROL_H

#define CTL_MESSAGE_MAX 0x40000

#endif
