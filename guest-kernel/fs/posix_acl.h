/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX access control lists (acl(5)): of an object, and those that a directory hands down. */
#ifndef FS_POSIX_ACL_H
#define FS_POSIX_ACL_H

#include "fs/vfs.h"

enum acl_type { ACL_ACCESS, ACL_DEFAULT };

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

/* Immutable once an inode has it. */
struct posix_acl {
	ref_t refs;
	uint32_t n;
	struct acl_entry entry[];
};

/* The inode's list with a reference, or NULL. */
struct posix_acl *acl_get(struct inode *inode, enum acl_type type);
void acl_put(struct posix_acl *acl);
/* The inode is going away. */
void acl_free(struct inode *inode);
/* Gives to the lists of from: overlay inodes have those of their real ones. */
void acl_share(struct inode *to, struct inode *from);
/* What the access list grants to somebody who is not the owner: 0 or -EACCES. */
int acl_permission(struct inode *inode, const struct posix_acl *acl, int mask);

/* inode_ops.set_acl of file systems in memory; acl may be NULL. inode->lock held. */
int acl_set_in_memory(struct inode *inode, unsigned type, struct posix_acl *acl);
/* After a chmod: the access list follows the mode. inode->lock held. */
int acl_chmod(struct inode *inode);
/* A new inode takes what its directory hands down; its mode may lose bits. */
int acl_inherit(struct inode *inode, struct inode *dir);

/* ---- extended attributes system.posix_acl_access and system.posix_acl_default ---- */
/* True if name is one of the two. */
bool acl_xattr_name(const char *name, enum acl_type *type);
int acl_xattr_set(const struct path *p, enum acl_type type, const void *value, size_t size); /* size 0 removes */
ssize_t_ acl_xattr_get(struct inode *inode, enum acl_type type, void *value, size_t size);
/* Appends the names to a list of len bytes in a buffer of size (0: only counts). The new length or -ERANGE. */
ssize_t_ acl_xattr_list(struct inode *inode, char *list, size_t len, size_t size);

#endif
