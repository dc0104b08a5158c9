// SPDX-License-Identifier: Apache-2.0
/*
 * rename in an overlay: in the upper layer, with a whiteout where a lower name would show through. A directory with a
 * lower part cannot move (EXDEV, as overlayfs without redirect_dir): mv(1) then copies.
 */
#include "fs/overlay.h"

#include <linux/fs.h>

#include "lib/string.h"

static bool has_lower_part(const struct inode *inode)
{
	struct ovl_inode *oi = ovl_i(inode);
	return S_ISDIR(inode->mode) && oi->lower && !oi->opaque;
}

/* 1: the lower layer has the name, and shows it where the upper has none. */
static int lower_shows(struct inode *dir, struct dentry *d)
{
	struct dentry *l = ovl_lower_lookup(ovl_i(dir), d->name, d->name_len);
	if (IS_ERR(l))
		return PTR_ERR(l);
	dentry_put(l);
	return l != NULL;
}

/* A directory that moves into a merged one must not merge with what lies below there. */
static int make_opaque(struct inode *moved, const struct inode *new_dir)
{
	if (!S_ISDIR(moved->mode) || !ovl_i(new_dir)->lower)
		return 0;
	return ovl_real_setxattr(ovl_real(ovl_i(moved)), OVL_XATTR_OPAQUE, "y", 1);
}

/* Everything that can be refused or must exist first. */
static int prepare(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, bool exchange)
{
	int r;
	if (has_lower_part(old->inode) || (exchange && has_lower_part(new->inode)))
		return -EXDEV;
	if (new->inode && !exchange && S_ISDIR(new->inode->mode)) {
		r = ovl_dir_is_empty(new->inode);
		if (r <= 0)
			return r ? r : -ENOTEMPTY;
	}
	r = ovl_copy_up(old, UINT64_MAX);
	if (!r)
		r = ovl_copy_up(exchange ? new : new->parent, UINT64_MAX);
	if (!r)
		r = make_opaque(old->inode, new_dir);
	if (!r && exchange)
		r = make_opaque(new->inode, old_dir);
	return r;
}

/* The upper rename with both upper directories locked. */
static int rename_upper(struct dentry *uold_dir, struct dentry *old, struct dentry *unew_dir, struct dentry *new,
                        uint32_t flags, bool hide)
{
	bool exchange = flags & RENAME_EXCHANGE;
	struct inode *from = uold_dir->inode, *to = unew_dir->inode;
	struct dentry *uo = dentry_lookup_locked(uold_dir, old->name, old->name_len);
	if (IS_ERR(uo))
		return PTR_ERR(uo);
	struct dentry *un = exchange ? dentry_lookup_locked(unew_dir, new->name, new->name_len) :
	                               ovl_clear_whiteout(unew_dir, new->name, new->name_len);
	int r = IS_ERR(un) ? PTR_ERR(un) : 0;
	if (!r && (!uo->inode || (exchange && !un->inode)))
		r = -ESTALE;
	/* An upper target that is no directory cannot be replaced by one, and the other way round, only when what
	 * shows there in the overlay allowed it: the VFS has checked that. */
	if (!r && un->inode && !exchange && S_ISDIR(un->inode->mode))
		r = ovl_clear_dir(un);
	if (!r) {
		struct inode *a = S_ISDIR(uo->inode->mode) ? NULL : uo->inode;
		struct inode *b = exchange && un->inode && S_ISDIR(un->inode->mode) ? NULL : un->inode;
		inode_lock_two(a, b);
		r = from->ops->rename(from, uo, to, un, flags & RENAME_EXCHANGE);
		inode_unlock_two(a, b);
	}
	if (!r) {
		if (exchange)
			dentry_exchange(uo, un);
		else
			dentry_move(uo, un);
		if (hide)
			r = ovl_make_whiteout(uold_dir, old->name, old->name_len);
	}
	if (!IS_ERR(un))
		dentry_put(un);
	dentry_put(uo);
	return r;
}

int ovl_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir, struct dentry *new, uint32_t flags)
{
	bool exchange = flags & RENAME_EXCHANGE;
	int r = prepare(old_dir, old, new_dir, new, exchange);
	if (r)
		return r;
	int hide = exchange ? 0 : lower_shows(old_dir, old);
	if (hide < 0)
		return hide;
	struct dentry *uold_dir = ovl_upper(ovl_i(old_dir)), *unew_dir = ovl_upper(ovl_i(new_dir));
	lock_rename(uold_dir, unew_dir);
	r = rename_upper(uold_dir, old, unew_dir, new, flags, hide);
	unlock_rename(uold_dir, unew_dir);
	ovl_copy_attr(old_dir);
	ovl_copy_attr(new_dir);
	if (r)
		return r;
	struct inode *target = exchange ? NULL : new->inode;
	if (target) {
		if (S_ISDIR(target->mode))
			target->nlink = 0;
		else
			ovl_name_gone(target);
	}
	if (S_ISDIR(old->inode->mode) && ovl_i(new_dir)->lower)
		ovl_i(old->inode)->opaque = true;
	ovl_copy_attr(old->inode);
	return 0;
}
