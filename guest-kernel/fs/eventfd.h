/* SPDX-License-Identifier: Apache-2.0 */
/* Event counters from the inside: others that tell by them that something is complete. */
#ifndef FS_EVENTFD_H
#define FS_EVENTFD_H

#include "fs/vfs.h"

bool eventfd_is(const struct file *f);
/* Adds to the counter (not beyond its limit) and wakes who waits. */
void eventfd_signal(struct file *f, uint64_t n);

#endif
