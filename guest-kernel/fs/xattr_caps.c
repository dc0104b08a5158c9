// SPDX-License-Identifier: Apache-2.0
/*
 * File capabilities as an extended attribute (capabilities(7), "File capability extended attribute versioning").
 *
 * Inside, a revision 3 attribute names the root user, by an id of the initial user namespace, in whose namespaces it
 * counts. Who is privileged in a user namespace only writes such ones, and sees his own as revision 2.
 */
#include <linux/capability.h>
#include <linux/xattr.h>

#include "fs/namei.h"
#include "fs/xattr_caps.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

bool caps_xattr_name(const char *name) { return !strcmp(name, XATTR_NAME_CAPS); }

/* 2 or 3 for a well-formed attribute, else 0. */
static int revision(const struct vfs_ns_cap_data *d, size_t size)
{
	switch (d->magic_etc & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_2:
		return size == XATTR_CAPS_SZ_2 ? 2 : 0;
	case VFS_CAP_REVISION_3:
		return size == XATTR_CAPS_SZ_3 ? 3 : 0;
	default:
		return 0;
	}
}

static void set_revision(struct vfs_ns_cap_data *d, uint32_t rev)
{
	d->magic_etc = (d->magic_etc & ~(uint32_t)VFS_CAP_REVISION_MASK) | rev;
}

int caps_xattr_in(const struct inode *inode, void *value, size_t *size)
{
	struct vfs_ns_cap_data d = {0};

	memcpy(&d, value, MIN(*size, sizeof(d)));
	int rev = *size > sizeof(d) ? 0 : revision(&d, *size);
	if (!rev)
		return -EINVAL;
	if (!inode_capable(inode, CAP_SETFCAP))
		return -EPERM;
	if (rev == 2 && ns_capable(inode->sb->user_ns, CAP_SETFCAP))
		return 0;
	d.rootid = kuid_in(rev == 3 ? d.rootid : 0);
	if (d.rootid == NO_ID || id_from(inode->sb->user_ns, ID_USER, d.rootid) == NO_ID)
		return -EINVAL;
	set_revision(&d, VFS_CAP_REVISION_3);
	memcpy(value, &d, sizeof(d));
	*size = sizeof(d);
	return 0;
}

ssize_t_ caps_xattr_out(void *value, size_t size)
{
	struct vfs_ns_cap_data d = {0};

	memcpy(&d, value, MIN(size, sizeof(d)));
	if (revision(&d, size) != 3)
		return (ssize_t_)size;
	uint32_t root = id_from(current->cred->user_ns, ID_USER, d.rootid);
	if (root != NO_ID && root != 0) {
		d.rootid = root;
	} else if (!user_ns_root_owns(d.rootid)) {
		return -EOVERFLOW;
	} else {
		set_revision(&d, VFS_CAP_REVISION_2);
		size = XATTR_CAPS_SZ_2;
	}
	memcpy(value, &d, size);
	return (ssize_t_)size;
}
