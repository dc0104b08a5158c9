/* SPDX-License-Identifier: Apache-2.0 */
/* See vfs_env.c. */
#ifndef TESTS_VFS_ENV_H
#define TESTS_VFS_ENV_H

#include "fs/vfs.h"

extern uint32_t env_locks_held; /* mutexes; 0 between system calls */

/* Runs fn on a stack on which `current` works, with an empty tmpfs as root. */
int env_run(int (*fn)(void));
void env_set_ids(uint32_t uid, uint32_t gid, uint64_t caps);

#endif
