/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one implementation of the file hostcalls that take names, linked into the sandbox process (which holds directory
 * descriptors, --directfs) and into the gofer process, which serves them over a socket: all of them with
 * --directfs=false, else the rarer ones (fsops_rare), on descriptors that the sandbox lends it.
 *
 * Confinement: an object is a directory descriptor and one path component, never a path. Components are not "..", not
 * "." and hold no '/'; the last component is never followed when it is a symbolic link; opens go through openat2 with
 * RESOLVE_BENEATH where the kernel has it. Read-only mounts are read-only in the descriptors' mount as well, and are
 * refused by the caller first.
 */
#ifndef GOFER_FSOPS_H
#define GOFER_FSOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/hostcall.h"

struct fs_request {
	uint32_t op;                /* HC_FS_WALK .. HC_FS_STATFS, HC_FS_FALLOCATE, HC_FS_COPY_RANGE */
	uint32_t flags;             /* open, unlink and rename flags */
	uint64_t cookie;            /* FS_READDIR */
	uint64_t offset, offset2, len; /* FS_FALLOCATE; FS_COPY_RANGE, whose second offset is the destination's */
	uint32_t mode, uid, gid;    /* of what is created */
	uint32_t rdev_major, rdev_minor;
	uint32_t xattr_op, xattr_flags;
	struct hc_setattr set;
	char name[HC_NAME_MAX + 1];  /* "": the descriptor itself */
	char name2[HC_NAME_MAX + 1]; /* FS_LINK, FS_RENAME: the new name, in the second descriptor; FS_XATTR: the attribute */
	const void *data;           /* FS_SYMLINK: the target; FS_XATTR: the value */
	uint32_t data_len;
};

struct fs_reply {
	int fd;                     /* what was opened, or -1 */
	struct hc_attr attr;
	struct hc_statfs statfs;
	void *data;                 /* where FS_READDIR, FS_READLINK and FS_XATTR put their result, set by the caller */
	uint32_t data_size;
};

/* Looks what the kernel has. Before any filter of system calls is in force. */
void fsops_init(void);
/* openat2 works here: openat is not needed. */
bool fsops_has_openat2(void);
/* Whether the sandbox leaves it to the gofer even with directfs, so that its own system calls are few. */
bool fsops_rare(const struct fs_request *req);
/* Whether one component may be used as a name. */
bool fsops_name_ok(const char *name, size_t len);
/* Does it: the operation's result (bytes of data where it has any) or -errno. fd2 matters to FS_LINK, FS_RENAME and
 * FS_COPY_RANGE. */
int64_t fsops_call(const struct fs_request *req, int fd, int fd2, struct fs_reply *reply);
/* Whether it needs privileges over the host that a process in a user namespace does not have: to make a device node, and to
 * give an open file (the empty name) a name. */
bool fsops_privileged(const struct fs_request *req);
/* Attributes of a name, or of the descriptor itself ("" as name). */
int fsops_stat(int fd, const char *name, struct hc_attr *attr);
/* As if the kernel had no openat2, or no fchmodat2 (tests). */
void fsops_force_fallback(bool no_openat2, bool no_fchmodat2);

/* fsops_attr.c */
int fsops_setattr(int fd, const char *name, const struct hc_setattr *set);
int64_t fsops_xattr(int fd, const struct fs_request *req, struct fs_reply *reply);
int fsops_statfs(int fd, struct hc_statfs *out);
int fsops_chmod(int fd, const char *name, uint32_t mode);
int fsops_fchmodat2(int fd, const char *name, uint32_t mode, int flags);
/* fsops_open.c: openat2 confined, openat without it. */
void fsops_probe_openat2(void);
int fsops_openat(int dir, const char *name, int flags, uint32_t mode);
extern bool fsops_no_fchmodat2;

#endif
