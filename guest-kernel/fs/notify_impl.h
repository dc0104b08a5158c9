/* SPDX-License-Identifier: Apache-2.0 */
/* Marks on inodes: what inotify (notify.c) and directory notification (dnotify.c) share. */
#ifndef FS_NOTIFY_IMPL_H
#define FS_NOTIFY_IMPL_H

#include "fs/vfs.h"

struct inotify;

/* Besides IN_*: a file was renamed within the directory. */
#define NOTIFY_RENAMED 0x10000000u

/* All fields: notify_lock. */
struct mark {
	struct list_node inode_link;    /* inode->marks */
	struct list_node instance_link; /* of inotify: instance->marks */
	struct inode *inode;            /* a reference */
	struct inotify *in;             /* NULL: a struct dnotify */
	int wd;
	uint32_t mask;
};

extern struct mutex notify_lock;

/* notify_lock held. mark_remove frees the mark; the inode's reference passes to the caller, to be put after unlocking. */
void notify_mark_add(struct mark *m, struct inode *inode);
struct inode *notify_mark_remove(struct mark *m);

/* An event for a dnotify mark, notify_lock held: true if the mark has done its duty. */
bool dnotify_event(struct mark *m);
/* The mark is about to go. notify_lock held. */
void dnotify_detach(struct mark *m);

#endif
