/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials across execve(2): set-user-ID and set-group-ID bits, file capabilities, ambient capabilities and the
 * special treatment of root, as capabilities(7), "Transformation of capabilities during execve()" defines them.
 */
#include <linux/mount.h>
#include <linux/securebits.h>
#include <linux/xattr.h>

#include "boot/boot.h"
#include "lib/string.h"
#include "task/exec.h"
#include "task/user_ns.h"

/* A file's capabilities from its xattr. 0 (present), -ENODATA, or -EINVAL/-EPERM for a malformed one. */
struct file_caps {
	uint64_t permitted, inheritable;
	bool effective;
};

static int read_file_caps(struct file *f, struct file_caps *fc)
{
	struct vfs_ns_cap_data d;
	const struct inode_ops *ops = f->inode->ops;

	if (!ops || !ops->getxattr)
		return -ENODATA;
	memset(&d, 0, sizeof(d));
	ssize_t_ n = ops->getxattr(f->inode, XATTR_NAME_CAPS, &d, sizeof(d));
	if (n == -ENODATA || n == -EOPNOTSUPP)
		return -ENODATA;
	if (n < 0)
		return n == -ERANGE ? -EINVAL : -ENODATA;
	if (n < 4)
		return -EINVAL;
	switch (d.magic_etc & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_1:
		if (n != XATTR_CAPS_SZ_1)
			return -EINVAL;
		break;
	case VFS_CAP_REVISION_2:
		if (n != XATTR_CAPS_SZ_2)
			return -EINVAL;
		break;
	case VFS_CAP_REVISION_3:
		if (n != XATTR_CAPS_SZ_3)
			return -EINVAL;
		if (!user_ns_root_owns(d.rootid))
			return -ENODATA; /* of another user namespace */
		break;
	default:
		return -EINVAL;
	}
	fc->permitted = d.data[0].permitted;
	fc->inheritable = d.data[0].inheritable;
	if ((d.magic_etc & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_1) {
		fc->permitted |= (uint64_t)d.data[1].permitted << 32;
		fc->inheritable |= (uint64_t)d.data[1].inheritable << 32;
	}
	fc->permitted &= CAP_ALL;
	fc->inheritable &= CAP_ALL;
	fc->effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	return 0;
}

/* Set-id bits of the file: true if they change the effective ids. */
static bool apply_set_id(struct cred *c, const struct inode *inode)
{
	bool changed = false;

	/* Owners without a name in the user namespace give nothing. */
	if (id_from(c->user_ns, ID_USER, inode->uid) == NO_ID || id_from(c->user_ns, ID_GROUP, inode->gid) == NO_ID)
		return false;
	if (inode->mode & S_ISUID) {
		changed |= c->euid != inode->uid;
		c->euid = inode->uid;
	}
	if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		changed |= c->egid != inode->gid;
		c->egid = inode->gid;
	}
	return changed;
}

static bool may_read(struct file *f) { return !f || !inode_permission(f->inode, MAY_READ); }

int exec_cred_prepare(struct exec_cred *ec, const struct exec_image *x)
{
	struct file *file = x->file;
	const struct cred *old = current->cred;
	struct cred *c = cred_copy(old);
	struct file_caps fc = {0, 0, false};
	bool has_caps = false, effective = false;
	bool may_gain = !READ_ONCE(current->no_new_privs) && !(file->path.mnt->flags & MS_NOSUID) &&
	                mount_may_suid(file->path.mnt) &&
	                !ptrace_blocks_rights(current);

	if (!c)
		return -ENOMEM;
	*ec = (struct exec_cred){.cred = c, .readable = may_read(x->file) && may_read(x->interp)};
	if (may_gain) {
		if (boot.allow_suid)
			apply_set_id(c, file->inode);
		int err = read_file_caps(file, &fc);
		if (err && err != -ENODATA) {
			cred_put(c);
			return err;
		}
		has_caps = err == 0;
		effective = has_caps && fc.effective;
	}
	/* Root's programs have all file capabilities, unless SECBIT_NOROOT says otherwise. */
	bool root_privileged = !(c->securebits & SECBIT_NOROOT);
	uint32_t root = id_make(c->user_ns, ID_USER, 0);
	if (root_privileged && (c->euid == root || c->uid == root) && !(has_caps && c->uid != root && c->euid == root)) {
		fc.permitted = fc.inheritable = CAP_ALL;
		if (c->euid == root)
			effective = true;
	}
	bool set_id = c->euid != old->uid || c->egid != old->gid;
	bool id_changed = c->euid != old->euid || c->egid != old->egid;
	uint64_t permitted = (old->cap_bounding & fc.permitted) | (old->cap_inheritable & fc.inheritable);
	/* Under no_new_privs, or before the eyes of a tracer, not even root's programs get what their caller does not have. */
	if (READ_ONCE(current->no_new_privs) || ptrace_blocks_rights(current))
		permitted &= old->cap_permitted;
	if (has_caps && fc.effective && (permitted & fc.permitted) != fc.permitted &&
	    !(root_privileged && (c->euid == root || c->uid == root))) {
		cred_put(c);
		return -EPERM; /* a capability-dumb program would run with less than it was given */
	}
	if (has_caps || id_changed)
		c->cap_ambient = 0;
	c->cap_permitted = permitted | c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~(uint32_t)SECBIT_KEEP_CAPS;
	ec->gained = id_changed || (c->cap_permitted & ~old->cap_permitted);
	ec->secure = set_id || (c->uid != root && (effective || (c->cap_permitted & ~c->cap_ambient)));
	return 0;
}
