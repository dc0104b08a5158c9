// SPDX-License-Identifier: Apache-2.0
/*
 * Permission: mode bits with fsuid, fsgid and supplementary groups, capabilities (capabilities(7)), the sticky bit,
 * the rules for set-id bits, POSIX ACLs where the inode has them.
 */
#include "fs/vfs.h"

#include <linux/mount.h>

#include "fs/namei.h"
#include "fs/posix_acl.h"
#include "task/task.h"
#include "task/user_ns.h"

/* A capability of the current user namespace counts for files whose owner and group have names there. */
bool inode_capable(const struct inode *inode, int cap)
{
	const struct cred *c = current->cred;

	return cred_own_capable(c, cap) && id_from(c->user_ns, ID_USER, inode->uid) != NO_ID &&
	       id_from(c->user_ns, ID_GROUP, inode->gid) != NO_ID;
}

static int generic_permission(struct inode *inode, int mask)
{
	const struct cred *c = current->cred;
	uint32_t mode = inode->mode;
	bool dir = (mode & S_IFMT) == S_IFDIR;
	struct posix_acl *acl = NULL;
	if (c->fsuid == inode->uid) {
		mode >>= 6;
	} else if ((mode & S_IRWXG) && (acl = acl_get(inode, ACL_ACCESS))) {
		int r = acl_permission(inode, acl, mask);
		acl_put(acl);
		if (!r)
			return 0;
		mode = 0;
	} else if (((mode >> 3) ^ mode) & mask & 7 && cred_in_group(c, inode->gid)) {
		mode >>= 3;
	}
	if ((mask & ~mode & 7) == 0)
		return 0;
	if (dir) {
		if (!(mask & MAY_WRITE) && inode_capable(inode, CAP_DAC_READ_SEARCH))
			return 0;
		return inode_capable(inode, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (mask == MAY_READ && inode_capable(inode, CAP_DAC_READ_SEARCH))
		return 0;
	if ((!(mask & MAY_EXEC) || (inode->mode & 0111)) && inode_capable(inode, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int inode_permission(struct inode *inode, int mask)
{
	mask &= 7;
	if (inode->ops && inode->ops->permission)
		return inode->ops->permission(inode, mask);
	/* what nobody is denied needs no credentials */
	uint32_t m = inode->mode;
	if ((mask & ~(m & (m >> 3) & (m >> 6)) & 7) == 0 && !READ_ONCE(inode->acl))
		return 0;
	return generic_permission(inode, mask);
}

int path_permission(const struct path *p, int mask)
{
	struct inode *inode = p->dentry->inode;
	uint32_t type = inode->mode & S_IFMT;
	if ((mask & MAY_WRITE) && (type == S_IFREG || type == S_IFDIR || type == S_IFLNK)) {
		int r = mount_writable(p->mnt);
		if (r)
			return r;
	}
	if ((mask & MAY_EXEC) && type == S_IFREG && (p->mnt->flags & MS_NOEXEC))
		return -EACCES;
	return inode_permission(inode, mask);
}

uint32_t create_mode(const struct inode *dir, uint32_t mode)
{
	return READ_ONCE(dir->default_acl) ? mode : mode & ~current->fs->umask;
}

bool inode_owner_or_capable(const struct inode *inode)
{
	const struct user_ns *ns = current->cred->user_ns;

	return current->cred->fsuid == inode->uid ||
	       (id_from(ns, ID_USER, inode->uid) != NO_ID && ns_capable(ns, CAP_FOWNER));
}

/* -EPERM if the sticky directory protects inode from the current task. */
static int sticky_check(const struct inode *dir, const struct inode *inode)
{
	if (!(dir->mode & S_ISVTX))
		return 0;
	uint32_t u = current->cred->fsuid;
	return u == inode->uid || u == dir->uid || inode_capable(inode, CAP_FOWNER) ? 0 : -EPERM;
}

/* dir->inode->lock held. */
int may_create(const struct path *dir)
{
	struct inode *i = dir->dentry->inode;
	if (i->iflags & INODE_DEAD)
		return -ENOENT;
	int r = mount_writable(dir->mnt);
	return r ? r : inode_permission(i, MAY_WRITE | MAY_EXEC);
}

/* dir->inode->lock held; victim is positive. */
int may_delete(const struct path *dir, struct dentry *victim, bool isdir)
{
	struct inode *d = dir->dentry->inode, *v = victim->inode;
	int r = mount_writable(dir->mnt);
	if (r == 0)
		r = inode_permission(d, MAY_WRITE | MAY_EXEC);
	if (r == 0)
		r = sticky_check(d, v);
	if (r)
		return r;
	bool vdir = (v->mode & S_IFMT) == S_IFDIR;
	if (isdir && !vdir)
		return -ENOTDIR;
	if (!isdir && vdir)
		return -EISDIR;
	if (isdir && victim->parent == victim)
		return -EBUSY;
	if (d->iflags & INODE_DEAD)
		return -ENOENT;
	return 0;
}

int mode_kill_suid(const struct inode *inode, uint32_t *mode)
{
	uint32_t m = inode->mode;
	if ((m & S_IFMT) != S_IFREG)
		return 0;
	m &= ~S_ISUID;
	if ((m & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		m &= ~S_ISGID;
	*mode = m & 07777;
	return m != inode->mode;
}
