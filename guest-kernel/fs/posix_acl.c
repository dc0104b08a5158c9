// SPDX-License-Identifier: Apache-2.0
/*
 * POSIX access control lists (acl(5)).
 *
 * An inode has at most two: who may do what with it, and (directories) what new objects in it get. They hang off the
 * inode itself, immutable and counted, so that a permission check needs no lock but inode->spin and no file system.
 * tmpfs keeps them there; the overlay's inodes share those of their real ones; files of the host have none here, their
 * mode bits decide (the gofer does not offer system.* attributes).
 */
#include "fs/posix_acl.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

static struct posix_acl **slot(struct inode *i, enum acl_type type)
{
	return type == ACL_ACCESS ? &i->acl : &i->default_acl;
}

struct posix_acl *acl_get(struct inode *i, enum acl_type type)
{
	if (likely(!READ_ONCE(*slot(i, type))))
		return NULL;
	spin_lock(&i->spin);
	struct posix_acl *acl = *slot(i, type);
	if (acl)
		ref_get(&acl->refs);
	spin_unlock(&i->spin);
	return acl;
}

void acl_put(struct posix_acl *acl)
{
	if (acl && ref_put(&acl->refs))
		kfree(acl);
}

/* Takes over the reference. */
static void store(struct inode *i, enum acl_type type, struct posix_acl *acl)
{
	spin_lock(&i->spin);
	struct posix_acl *old = *slot(i, type);
	WRITE_ONCE(*slot(i, type), acl);
	spin_unlock(&i->spin);
	acl_put(old);
}

void acl_free(struct inode *i)
{
	acl_put(i->acl);
	acl_put(i->default_acl);
}

void acl_share(struct inode *to, struct inode *from)
{
	for (enum acl_type t = ACL_ACCESS; t <= ACL_DEFAULT; t++)
		if (READ_ONCE(*slot(to, t)) != READ_ONCE(*slot(from, t)))
			store(to, t, acl_get(from, t));
}

static struct posix_acl *acl_alloc(uint32_t n)
{
	struct posix_acl *acl = kzalloc(sizeof(*acl) + n * sizeof(acl->entry[0]));
	if (acl) {
		ref_init(&acl->refs);
		acl->n = n;
	}
	return acl;
}

static struct posix_acl *clone(const struct posix_acl *from)
{
	struct posix_acl *acl = acl_alloc(from->n);
	if (acl)
		memcpy(acl->entry, from->entry, from->n * sizeof(acl->entry[0]));
	return acl;
}

/* ---- the rules of acl(5) ---- */
int acl_permission(struct inode *inode, const struct posix_acl *acl, int mask)
{
	const struct cred *c = current->cred;
	const struct acl_entry *e = acl->entry, *end = e + acl->n, *hit = NULL;
	bool in_group = false;
	for (; e < end && !hit; e++) {
		switch (e->tag) {
		case ACL_USER:
			hit = c->fsuid == e->id ? e : NULL;
			break;
		case ACL_GROUP_OBJ:
		case ACL_GROUP:
			if (!cred_in_group(c, e->tag == ACL_GROUP ? e->id : inode->gid))
				break;
			in_group = true;
			hit = (e->perm & mask) == mask ? e : NULL;
			break;
		case ACL_OTHER:
			return !in_group && (e->perm & mask) == mask ? 0 : -EACCES;
		}
	}
	if (!hit)
		return -EACCES;
	for (; e < end; e++)
		if (e->tag == ACL_MASK)
			return (hit->perm & e->perm & mask) == mask ? 0 : -EACCES;
	return (hit->perm & mask) == mask ? 0 : -EACCES;
}

/* In order, complete, and with a mask where there are named entries. */
static bool valid(const struct posix_acl *acl)
{
	int state = ACL_USER_OBJ;
	bool needs_mask = false;
	for (uint32_t i = 0; i < acl->n; i++) {
		const struct acl_entry *e = &acl->entry[i];
		if (e->perm & ~7)
			return false;
		switch (e->tag) {
		case ACL_USER_OBJ:
			if (state != ACL_USER_OBJ)
				return false;
			state = ACL_USER;
			break;
		case ACL_USER:
		case ACL_GROUP:
			if (state != e->tag || e->id == UINT32_MAX)
				return false;
			needs_mask = true;
			break;
		case ACL_GROUP_OBJ:
			if (state != ACL_USER)
				return false;
			state = ACL_GROUP;
			break;
		case ACL_MASK:
			if (state != ACL_GROUP)
				return false;
			state = ACL_OTHER;
			break;
		case ACL_OTHER:
			if (state != ACL_OTHER && (state != ACL_GROUP || needs_mask))
				return false;
			state = 0;
			break;
		default:
			return false;
		}
	}
	return state == 0;
}

/* The permission bits that the list stands for; true if they say all that it does. */
static bool to_mode(const struct posix_acl *acl, uint32_t *mode)
{
	uint32_t m = 0;
	bool all = true, mask = false;
	for (uint32_t i = 0; i < acl->n; i++) {
		uint32_t perm = acl->entry[i].perm;
		switch (acl->entry[i].tag) {
		case ACL_USER_OBJ:
			m |= perm << 6;
			break;
		case ACL_GROUP_OBJ:
			m |= mask ? 0 : perm << 3;
			break;
		case ACL_OTHER:
			m |= perm;
			break;
		case ACL_MASK:
			m = (m & ~070u) | perm << 3;
			mask = true;
			all = false;
			break;
		default:
			all = false;
		}
	}
	*mode = (*mode & ~0777u) | m;
	return all;
}

/* The entry that the group bits of the mode stand for. */
static struct acl_entry *group_class(struct posix_acl *acl)
{
	struct acl_entry *found = NULL;
	for (uint32_t i = 0; i < acl->n; i++)
		if (acl->entry[i].tag == ACL_MASK || (acl->entry[i].tag == ACL_GROUP_OBJ && !found))
			found = &acl->entry[i];
	return found;
}

/* Entries of the three classes get (or, with only_less, keep at most) the bits of mode. */
static void from_mode(struct posix_acl *acl, uint32_t mode, bool only_less)
{
	struct acl_entry *group = group_class(acl);
	for (uint32_t i = 0; i < acl->n; i++) {
		struct acl_entry *e = &acl->entry[i];
		uint32_t bits;
		if (e->tag == ACL_USER_OBJ)
			bits = mode >> 6 & 7;
		else if (e->tag == ACL_OTHER)
			bits = mode & 7;
		else if (e == group)
			bits = mode >> 3 & 7;
		else
			continue;
		e->perm = only_less ? e->perm & bits : bits;
	}
}

int acl_set_in_memory(struct inode *i, unsigned type, struct posix_acl *acl)
{
	if (type == ACL_ACCESS) {
		uint32_t mode = i->mode;
		if (acl && to_mode(acl, &mode))
			acl = NULL; /* the mode says it all */
		if (!cred_in_group(current->cred, i->gid) && !inode_capable(i, CAP_FSETID))
			mode &= ~(uint32_t)S_ISGID;
		i->mode = mode;
	}
	if (acl)
		ref_get(&acl->refs);
	store(i, type, acl);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

int acl_chmod(struct inode *i)
{
	struct posix_acl *old = acl_get(i, ACL_ACCESS);
	if (likely(!old))
		return 0;
	struct posix_acl *acl = clone(old);
	acl_put(old);
	if (!acl)
		return -ENOMEM;
	from_mode(acl, i->mode, false);
	store(i, ACL_ACCESS, acl);
	return 0;
}

int acl_inherit(struct inode *i, struct inode *dir)
{
	if (likely(!READ_ONCE(dir->default_acl)) || (i->mode & S_IFMT) == S_IFLNK)
		return 0;
	struct posix_acl *def = acl_get(dir, ACL_DEFAULT), *acl = def ? clone(def) : NULL;
	if (!acl) {
		acl_put(def);
		return def ? -ENOMEM : 0;
	}
	from_mode(acl, i->mode, true);
	if (to_mode(acl, &i->mode)) {
		acl_put(acl);
		acl = NULL;
	}
	store(i, ACL_ACCESS, acl);
	if ((i->mode & S_IFMT) == S_IFDIR)
		store(i, ACL_DEFAULT, def);
	else
		acl_put(def);
	return 0;
}

/* ---- extended attributes ---- */
bool acl_xattr_name(const char *name, enum acl_type *type)
{
	*type = ACL_DEFAULT;
	if (!strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT))
		return true;
	*type = ACL_ACCESS;
	return !strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS);
}

static bool supported(const struct inode *i)
{
	return i->ops && i->ops->set_acl && (i->mode & S_IFMT) != S_IFLNK;
}

/* NULL: no entries. */
static struct posix_acl *parse(const char *value, size_t size)
{
	uint32_t version;
	if (!size)
		return NULL;
	if (size < sizeof(version))
		return ERR_PTR(-EINVAL);
	memcpy(&version, value, sizeof(version));
	if (version != POSIX_ACL_XATTR_VERSION)
		return ERR_PTR(-EOPNOTSUPP);
	size -= sizeof(version);
	if (size % sizeof(struct acl_entry))
		return ERR_PTR(-EINVAL);
	if (!size)
		return NULL;
	struct posix_acl *acl = acl_alloc(size / sizeof(struct acl_entry));
	if (!acl)
		return ERR_PTR(-ENOMEM);
	memcpy(acl->entry, value + sizeof(version), size);
	for (uint32_t i = 0; i < acl->n; i++)
		if (acl->entry[i].tag == ACL_USER)
			acl->entry[i].id = kuid_in(acl->entry[i].id);
		else if (acl->entry[i].tag == ACL_GROUP)
			acl->entry[i].id = kgid_in(acl->entry[i].id);
	if (valid(acl))
		return acl;
	acl_put(acl);
	return ERR_PTR(-EINVAL);
}

int acl_xattr_set(const struct path *p, enum acl_type type, const void *value, size_t size)
{
	struct inode *i = p->dentry->inode;
	int r = mount_writable(p->mnt);
	if (r)
		return r;
	if (!supported(i))
		return -EOPNOTSUPP;
	struct posix_acl *acl = parse(value, size);
	if (IS_ERR(acl))
		return PTR_ERR(acl);
	if (type == ACL_DEFAULT && (i->mode & S_IFMT) != S_IFDIR) {
		r = acl ? -EACCES : 0;
	} else {
		mutex_lock(&i->lock);
		r = inode_owner_or_capable(i) ? i->ops->set_acl(i, type, acl) : -EPERM;
		mutex_unlock(&i->lock);
	}
	acl_put(acl);
	return r;
}

ssize_t_ acl_xattr_get(struct inode *i, enum acl_type type, void *value, size_t size)
{
	static const uint32_t version = POSIX_ACL_XATTR_VERSION;
	if (!supported(i))
		return -EOPNOTSUPP;
	struct posix_acl *acl = acl_get(i, type);
	if (!acl)
		return -ENODATA;
	size_t bytes = acl->n * sizeof(acl->entry[0]);
	ssize_t_ r = sizeof(version) + bytes;
	if (size && size < (size_t)r) {
		r = -ERANGE;
	} else if (size) {
		memcpy(value, &version, sizeof(version));
		struct acl_entry *out = (struct acl_entry *)((char *)value + sizeof(version));
		memcpy(out, acl->entry, bytes);
		for (uint32_t k = 0; k < acl->n; k++)
			if (out[k].tag == ACL_USER)
				out[k].id = kuid_out(out[k].id);
			else if (out[k].tag == ACL_GROUP)
				out[k].id = kgid_out(out[k].id);
	}
	acl_put(acl);
	return r;
}

ssize_t_ acl_xattr_list(struct inode *i, char *list, size_t len, size_t size)
{
	static const char names[2][28] = {XATTR_NAME_POSIX_ACL_ACCESS, XATTR_NAME_POSIX_ACL_DEFAULT};
	for (enum acl_type t = ACL_ACCESS; t <= ACL_DEFAULT; t++) {
		size_t n = strlen(names[t]) + 1;
		if (!READ_ONCE(*slot(i, t)))
			continue;
		if (size && len + n > size)
			return -ERANGE;
		if (size)
			memcpy(list + len, names[t], n);
		len += n;
	}
	return (ssize_t_)len;
}
