/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of processes (pidfd_open(2)). */
#ifndef FS_PIDFD_H
#define FS_PIDFD_H

#include "fs/vfs.h"
#include "task/task.h"

/* A new pidfd file for p (takes its own reference), or ERR_PTR. flags: O_NONBLOCK. */
struct file *pidfd_file(struct process *p, uint32_t flags);
/* The thread behind a descriptor, or the leader of the process, with a reference; ERR_PTR(-EBADF, -ESRCH). */
struct task *pidfd_get_task(int fd);
/* The process behind a descriptor with a reference, or ERR_PTR: EBADF, ECHILD for a thread that leads none. */
struct process *pidfd_get(int fd, uint32_t *file_flags);

#endif
