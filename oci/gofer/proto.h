/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket between gofer and sandbox (AF_UNIX, SOCK_SEQPACKET).
 *
 * First the gofer sends one message: a struct proto_mounts with, for directfs, an O_PATH descriptor per mount. Then the
 * sandbox sends requests, one at a time, and the gofer answers each. The gofer treats requests as hostile; the sandbox
 * trusts the gofer.
 *
 * Without directfs directories stay with the gofer, under handle numbers of its own; the descriptor of an opened regular
 * file goes to the sandbox, which reads, writes and maps it itself. An object that the sandbox holds is lent for one
 * request: its descriptor comes along, and PROTO_LENT stands for the handle.
 */
#ifndef GOFER_PROTO_H
#define GOFER_PROTO_H

#include <stdint.h>

#include "oci/error.h"
#include "oci/gofer/fsops.h"
#include "vmm/vmm.h"

/* A mount whose root is no directory: its descriptor is a directory of the gofer that holds nothing but this name. */
#define PROTO_FILE_NAME "file"
#define PROTO_DATA_MAX  65536
#define PROTO_NO_HANDLE 0xffffffffu
#define PROTO_LENT      0xfffffffeu

struct proto_mounts {
	uint32_t n;
	uint8_t is_file[VMM_MAX_MOUNTS];
};

/* Extra operations beside HC_FS_*. */
#define PROTO_CLOSE 1000 /* forget handle `dir` */
#define PROTO_OOM   1001 /* a process of the container is killed for want of memory: let the host see it; cookie: bytes that the
                            sandbox has mapped. Also with directfs */

struct proto_request {
	uint32_t op, flags;
	uint32_t dir, dir2;           /* handles of the gofer, of which the first ones are the mounts, or PROTO_LENT */
	uint64_t cookie, offset, offset2, len;
	uint32_t mode, uid, gid, rdev_major, rdev_minor;
	uint32_t xattr_op, xattr_flags;
	uint32_t data_len;            /* bytes that follow */
	uint32_t want;                /* most bytes of data in the answer */
	struct hc_setattr set;
	char name[HC_NAME_MAX + 1], name2[HC_NAME_MAX + 1];
};

struct proto_reply {
	int64_t result;
	uint32_t handle;              /* of a new directory, else PROTO_NO_HANDLE */
	uint32_t has_fd;              /* a descriptor comes along */
	struct hc_attr attr;
	struct hc_statfs statfs;
	/* data of max(result, 0) bytes for FS_READDIR, FS_READLINK and FS_XATTR */
};

/* What a request is about: a descriptor of ours to lend, or (fd -1) a handle of the gofer. */
struct gofer_object {
	int fd;
	uint32_t handle;
};
#define GOFER_NOTHING ((struct gofer_object){-1, PROTO_NO_HANDLE})

/* Sandbox side. */
struct error *gofer_receive_mounts(int sock, unsigned n, int *fds, uint32_t *flags) MUST_CHECK;
/* Sends a request and waits for its answer. data (the value or target) follows the request; answers' data goes to
 * out->data. *handle: a directory that the gofer opened, or PROTO_NO_HANDLE. As fsops_call otherwise; -EIO if the gofer
 * is gone. Any thread. */
int64_t gofer_call(int sock, const struct fs_request *req, struct gofer_object dir, struct gofer_object dir2, struct fs_reply *out,
                   uint32_t *handle);
void gofer_forget(int sock, uint32_t handle);
int64_t gofer_oom(int sock, uint64_t mapped);

/* Both sides: one message with its descriptors. Length, 0 at the end, or -errno. */
int64_t proto_send(int sock, const void *head, uint32_t head_len, const void *data, uint32_t data_len, const int *fds, unsigned nfds);
int64_t proto_receive(int sock, void *head, uint32_t head_len, void *data, uint32_t data_len, int *fds, unsigned *nfds);

#endif
