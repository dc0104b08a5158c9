// SPDX-License-Identifier: Apache-2.0
/* /dev: a tmpfs that starts with the devices and links every container has (OCI runtime spec, config-linux.md). */
#include "fs/dev/chrdev.h"

#include "fs/dev/devtmpfs.h"
#include "lib/string.h"

struct dev_node {
	const char *name;
	uint32_t mode;      /* type and permissions */
	uint32_t major, minor;
	const char *target; /* of a symbolic link */
};

static const struct dev_node nodes[] = {
	{"null", S_IFCHR | 0666, MEM_MAJOR, 3, NULL},
	{"zero", S_IFCHR | 0666, MEM_MAJOR, 5, NULL},
	{"full", S_IFCHR | 0666, MEM_MAJOR, 7, NULL},
	{"random", S_IFCHR | 0666, MEM_MAJOR, 8, NULL},
	{"urandom", S_IFCHR | 0666, MEM_MAJOR, 9, NULL},
	{"tty", S_IFCHR | 0666, TTYAUX_MAJOR, 0, NULL},
	{"console", S_IFCHR | 0600, TTYAUX_MAJOR, 1, NULL},
	{"ptmx", S_IFLNK, 0, 0, "pts/ptmx"},
	{"fd", S_IFLNK, 0, 0, "/proc/self/fd"},
	{"stdin", S_IFLNK, 0, 0, "/proc/self/fd/0"},
	{"stdout", S_IFLNK, 0, 0, "/proc/self/fd/1"},
	{"stderr", S_IFLNK, 0, 0, "/proc/self/fd/2"},
	{"pts", S_IFDIR | 0755, 0, 0, NULL},
	{"shm", S_IFDIR | 01777, 0, 0, NULL},
	{"mqueue", S_IFDIR | 01777, 0, 0, NULL},
};

static int add_node(struct dentry *root, const struct dev_node *n)
{
	struct inode *dir = root->inode;
	mutex_lock(&dir->lock);
	struct dentry *d = dentry_lookup_locked(root, n->name, strlen(n->name));
	int r = IS_ERR(d) ? PTR_ERR(d) : 0;
	if (!r && !d->inode) {
		if (S_ISLNK(n->mode))
			r = dir->ops->symlink(dir, d, n->target);
		else if (S_ISDIR(n->mode))
			r = dir->ops->mkdir(dir, d, n->mode);
		else
			r = dir->ops->mknod(dir, d, n->mode, MKDEV(n->major, n->minor));
	}
	/* Devices of the system belong to root, whoever mounts. */
	if (!r && d->inode)
		d->inode->uid = d->inode->gid = 0;
	mutex_unlock(&dir->lock);
	if (!IS_ERR(d))
		dentry_put(d);
	return r;
}

static struct super_block *devtmpfs_mount(const struct fs_type *type, const char *source, const char *data,
                                          uint32_t flags)
{
	const struct fs_type *tmpfs = fs_type_find("tmpfs");
	char opts[256];
	if (!tmpfs)
		return ERR_PTR(-ENODEV);
	snprintf(opts, sizeof(opts), "mode=755%s%s", data && *data ? "," : "", data ? data : "");
	struct super_block *sb = tmpfs->mount(tmpfs, source, opts, flags);
	if (IS_ERR(sb))
		return sb;
	sb->type = type;
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		int r = add_node(sb->root, &nodes[i]);
		if (r) {
			super_put(sb);
			return ERR_PTR(r);
		}
	}
	return sb;
}

const struct fs_type devtmpfs_type = {.name = "devtmpfs", .nodev = true, .mount = devtmpfs_mount};
