/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer mounts of the sandbox's containers, by number. The first container's are numbered from 0; those of further
 * containers come with control messages, and no number is used twice. A gofer's socket is closed, which ends the gofer,
 * when its mounts and all handles of its files are gone.
 */
#ifndef VMM_FILE_MOUNTS_H
#define VMM_FILE_MOUNTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct host_file;

struct gofer {
	int fd;                /* the socket; immutable */
	_Atomic unsigned refs;
};

void gofer_get(struct gofer *g);
void gofer_put(struct gofer *g); /* NULL is none */

/* The first container's, from the configuration. */
int file_mounts_init(void);
/* n mounts of one gofer: its socket, an O_PATH descriptor each (directfs, else NULL), VMM_MOUNT_* each. Takes the
 * descriptors over, also on failure. The first one's number (the others follow), or -errno. */
int64_t file_mounts_add(int gofer, const int *fds, const uint32_t *flags, unsigned n);
/* A handle's fields for the root of a mount, with a descriptor or a reference of its own. */
int file_mount_root(uint64_t number, struct host_file *root);
bool file_mount_exists(uint64_t number);
/* The mount is not wanted any more; handles stay valid. -EINVAL if there is none. */
int file_mount_drop(uint64_t number);

#endif
