/* SPDX-License-Identifier: Apache-2.0 */
/* The VMM's entry, called by `runsc boot` once it has its descriptors. */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include <stdbool.h>
#include <stdint.h>

#define VMM_MAX_MOUNTS 64
#define VMM_MAX_IO     64

struct vmm_config {
	int kvm_fd;               /* or -1 */
	int statm_fd;             /* our /proc/self/statm, or -1 */
	int meminfo_fd;           /* the host's /proc/meminfo, or -1 */
	const char *platform;     /* "kvm" or "ptrace", already chosen */
	const char *sentry;       /* "auto", "guest" or "host" */
	const char *tsc;          /* "auto", "trust" or "never": whether clocks may rely on the TSC */
	const char *host_tsc_why; /* set by vmm_look_at_host: NULL, or why "auto" means never: a sentence */
	bool meltdown;            /* the same: an application can read whatever its page tables map, if only for ring 0 */
	unsigned nr_cpus;         /* vCPUs */
	uint64_t memory_limit;    /* bytes of RAM at most */
	int control_fd;           /* listening AF_UNIX SOCK_SEQPACKET socket, or -1 */
	int ready_fd;             /* one byte is written when the container's first task is about to run; or -1 */
	int gofer_fd;             /* AF_UNIX SOCK_SEQPACKET connection to the gofer, or -1 */
	int mount_fd[VMM_MAX_MOUNTS]; /* O_PATH descriptors per gofer mount (directfs), or -1 */
	uint32_t mount_flags[VMM_MAX_MOUNTS]; /* VMM_MOUNT_* */
	unsigned nr_mounts;
	bool directfs;
	bool file_access_shared;
	bool allow_suid;          /* set-id bits of programs take effect */
	bool host_network;        /* host sockets (NET_* hostcalls) in the network namespace of this process */
	int io_fd[VMM_MAX_IO];    /* host descriptors of io numbers 0.. */
	int io_own[VMM_MAX_IO];   /* set by vmm_prepare_io */
	unsigned nr_io;
	const void *container_fdt; /* tree whose /container node is copied into the boot tree */
	uint32_t container_fdt_len;
	int debug_log_fd;         /* or -1 */
	bool debug, strace, unprivileged;
	bool foreground;          /* ends with its parent, which has set PR_SET_PDEATHSIG to SIGKILL */
};

#define VMM_MOUNT_READONLY 1u
#define VMM_MOUNT_FILE     2u /* the root is no directory: mount_fd is a directory that holds it as "file" */

/* While /proc is there: opens pipes and terminals among io_fd once more, so that they can be non-blocking. */
void vmm_prepare_io(struct vmm_config *cfg);
/* While /sys is there: what the host's kernel says of its CPU. */
void vmm_look_at_host(struct vmm_config *cfg);
/* Runs the sandbox to its end. Drops privileges, installs seccomp, never returns to the caller's world: the result is
 * the container's wait status (>= 0) or -errno with a message already logged. */
int vmm_run(const struct vmm_config *cfg);
/* After an error of vmm_run: the reason in words, or NULL. */
const char *vmm_reason(void);

#endif
