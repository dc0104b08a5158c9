/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles of host files. A handle is an index with a generation, so that one that was closed is recognised. Every use
 * holds a reference: a descriptor is closed only when no vCPU is inside a call with it, whatever the Sentry does.
 *
 * State of a handle (one word): generation in the upper half; below it HANDLE_OPEN, while the Sentry has it, and the
 * number of references, of which HANDLE_OPEN accounts for one. A free entry has neither.
 */
#ifndef VMM_FILE_HANDLES_H
#define VMM_FILE_HANDLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REMOTE_NONE 0xffffffffu

struct host_file {
	_Atomic uint64_t state;
	uint32_t generation; /* protected by the table's lock while free, else immutable */
	/* Immutable while open: */
	uint32_t index;      /* in the table */
	int fd;              /* here, or -1 */
	uint32_t remote;     /* the gofer's number for it, or REMOTE_NONE */
	struct gofer *gofer; /* of its mount, a reference */
	uint32_t mount;
	bool file_root;      /* the root of a mount that is no directory: fd (or remote) is the directory that holds it */
	bool readonly;       /* of a read-only mount */
	bool opened;         /* by FS_OPEN or FS_CREATE: fd can be read */
	uint32_t next_free;  /* protected by the table's lock */
};

/* Before threads exist. */
void file_fds_init(void);
/* Files leave a part of RLIMIT_NOFILE to the rest: without it an application could keep control connections away. False:
 * they have had theirs, reserve: also the few that are kept for who comes from outside then. file_fds_count tells of descriptors held for files outside the table. */
bool file_fds_left(bool reserve);
void file_fds_count(int change);
/* Takes over fd, remote and the reference on its gofer (also on failure). The number, or -ENFILE. */
int64_t file_handle_new(const struct host_file *init);
/* A reference, or NULL if the number is not an open handle. */
struct host_file *file_handle_get(uint64_t number);
void file_handle_put(struct host_file *h);
/* -EBADF if it is not open (any more). */
int file_handle_close(uint64_t number);

#endif
