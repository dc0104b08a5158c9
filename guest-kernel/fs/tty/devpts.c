// SPDX-License-Identifier: Apache-2.0
/*
 * /dev/pts: ptmx and one node per pseudo-terminal in use. All mounts show the same instance. Options as mount(8):
 * uid, gid, mode, ptmxmode; "max" and "newinstance" are accepted and mean nothing here.
 *
 * Names are never cached: a lookup asks pty.c whether the number is in use.
 */
#include "fs/tty/tty.h"

#include <linux/mount.h>

#include "fs/dev/chrdev.h"
#include "fs/dirent.h"
#include "lib/string.h"
#include "task/task.h"
#include "task/user_ns.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX_INO 2
#define FIRST_INO 3

static struct {
	spinlock_t lock;
	struct super_block *sb; /* set at the first mount, never freed; lock */
	struct inode *ptmx;
	uint32_t mode, uid, gid;
	bool have_uid, have_gid;
} devpts = {.mode = 0600};

static struct inode *new_inode(uint32_t mode, uint64_t ino, uint64_t rdev)
{
	struct inode *inode = inode_alloc(devpts.sb);
	if (!inode)
		return NULL;
	inode->ino = ino;
	inode->mode = mode;
	inode->rdev = rdev;
	inode->nlink = 1;
	inode_touch(inode, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	inode->btime = inode->ctime;
	return inode;
}

static int devpts_setattr(struct inode *inode, struct iattr *attr)
{
	if (attr->valid & ATTR_SIZE)
		return S_ISDIR(inode->mode) ? -EISDIR : 0;
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	if (attr->valid & ATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & ATTR_MTIME)
		inode->mtime = attr->mtime;
	inode_touch(inode, ATTR_CTIME);
	return 0;
}

static const struct inode_ops node_iops = {.setattr = devpts_setattr};

struct inode *devpts_new_inode(uint32_t index)
{
	const struct cred *c = current->cred;
	if (!devpts.sb) {
		/* Terminals without a mounted devpts: the slave has no name, only TIOCGPTN's number. */
		struct inode *anon = inode_anon(S_IFCHR | 0600);
		if (anon)
			anon->rdev = MKDEV(PTY_SLAVE_MAJOR, index);
		return anon;
	}
	struct inode *inode = new_inode(S_IFCHR | devpts.mode, FIRST_INO + index, MKDEV(PTY_SLAVE_MAJOR, index));
	if (!inode)
		return NULL;
	inode->ops = &node_iops;
	inode->uid = devpts.have_uid ? devpts.uid : c->fsuid;
	inode->gid = devpts.have_gid ? devpts.gid : c->fsgid;
	return inode;
}

/* ---- directory ---- */
static bool parse_index(const char *name, uint32_t len, uint32_t *out)
{
	uint32_t v = 0;
	if (!len || len > 6 || (name[0] == '0' && len > 1))
		return false;
	for (uint32_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (name[i] - '0');
	}
	*out = v;
	return true;
}

static int devpts_lookup(struct inode *dir, struct dentry *dentry)
{
	uint32_t index;
	dentry->flags |= DENTRY_NO_CACHE;
	if (dentry->name_len == 4 && !memcmp(dentry->name, "ptmx", 4)) {
		inode_get(devpts.ptmx);
		dentry_instantiate(dentry, devpts.ptmx);
		return 0;
	}
	struct tty *t = parse_index(dentry->name, dentry->name_len, &index) ? pty_find(index) : NULL;
	if (!t)
		return 0;
	if (t->inode && t->master_open && t->inode->sb == devpts.sb) {
		inode_get(t->inode);
		dentry_instantiate(dentry, t->inode);
	}
	tty_put(t);
	return 0;
}

static int devpts_readdir(struct file *file, struct dir_context *ctx)
{
	char name[16];
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->ino, DT_DIR, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, file->inode->ino, DT_DIR, 2))
			return 0;
		ctx->pos = 2;
	}
	if (ctx->pos == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, PTMX_INO, DT_CHR, 3))
			return 0;
		ctx->pos = 3;
	}
	/* From position 3 on: the number plus three. */
	for (;;) {
		uint32_t i = ctx->pos - 3 < PTY_MAX ? pty_next((uint32_t)ctx->pos - 3) : UINT32_MAX;
		if (i == UINT32_MAX)
			return 0;
		int len = snprintf(name, sizeof(name), "%u", i);
		if (!ctx->emit(ctx, name, len, FIRST_INO + i, DT_CHR, (uint64_t)i + 4))
			return 0;
		ctx->pos = (uint64_t)i + 4;
	}
}

static const struct inode_ops dir_iops = {.lookup = devpts_lookup, .setattr = devpts_setattr};
static const struct file_ops dir_fops = {.readdir = devpts_readdir};

/* Names of terminals that are gone must not be found; those that exist are looked up once more. */
static int devpts_revalidate(struct dentry *dentry)
{
	uint32_t index;
	if (dentry->parent == dentry || !dentry->inode)
		return dentry->parent == dentry;
	if (dentry->inode == devpts.ptmx)
		return 1;
	struct tty *t = parse_index(dentry->name, dentry->name_len, &index) ? pty_find(index) : NULL;
	int ok = t && t->inode == dentry->inode && t->master_open;
	tty_put(t);
	return ok;
}

void devpts_remove(uint32_t index)
{
	/* Revalidation does it: see devpts_revalidate. */
}

bool devpts_path(uint32_t index, struct path *out)
{
	char name[16];
	struct mount *m, *found = NULL;
	spin_lock(&mount_lock);
	list_for_each_entry(m, &current->nsproxy->mnt->mounts, link) {
		if (m->sb == devpts.sb && devpts.sb) {
			found = m;
			mount_get(m);
			break;
		}
	}
	spin_unlock(&mount_lock);
	if (!found)
		return false;
	int len = snprintf(name, sizeof(name), "%u", index);
	struct dentry *d = dentry_lookup(found->root, name, len);
	if (IS_ERR(d) || !d->inode) {
		if (!IS_ERR(d))
			dentry_put(d);
		mount_put(found);
		return false;
	}
	*out = (struct path){found, d};
	return true;
}

/* ---- mounting ---- */
static int devpts_show_options(struct super_block *sb, char *buf, size_t size)
{
	int n = 0;
	buf[0] = 0;
	if (devpts.have_gid)
		n = snprintf(buf, size, ",gid=%u", devpts.gid);
	if ((size_t)n < size)
		n += snprintf(buf + n, size - n, ",mode=%03o,ptmxmode=%03o", devpts.mode, devpts.ptmx->mode & 07777);
	return n;
}

static const struct super_ops devpts_super_ops = {
	.revalidate = devpts_revalidate,
	.show_options = devpts_show_options,
};

static int parse_octal(const char *s, uint32_t *out)
{
	uint32_t v = 0;
	for (; *s >= '0' && *s <= '7' && v <= 07777; s++)
		v = v * 8 + (*s - '0');
	*out = v;
	return *s ? -EINVAL : 0;
}

static int set_option(const char *name, const char *value, uint32_t *ptmxmode)
{
	uint64_t n;
	if (!strcmp(name, "mode"))
		return parse_octal(value, &devpts.mode);
	if (!strcmp(name, "ptmxmode"))
		return parse_octal(value, ptmxmode);
	if (!strcmp(name, "max") || !strcmp(name, "newinstance"))
		return 0;
	bool uid = !strcmp(name, "uid");
	if (!uid && strcmp(name, "gid"))
		return -EINVAL;
	if (parse_u64(value, 10, &n) || n > UINT32_MAX)
		return -EINVAL;
	n = uid ? kuid_in((uint32_t)n) : kgid_in((uint32_t)n);
	if (n == NO_ID)
		return -EINVAL;
	if (uid) {
		devpts.uid = (uint32_t)n;
		devpts.have_uid = true;
	} else {
		devpts.gid = (uint32_t)n;
		devpts.have_gid = true;
	}
	return 0;
}

static int parse_options(const char *data, uint32_t *ptmxmode)
{
	char *copy = kstrdup(data ? data : "");
	int r = 0;
	if (!copy)
		return -ENOMEM;
	for (char *p = copy; p && *p && !r;) {
		char *next = strchr(p, ',');
		if (next)
			*next++ = 0;
		char *value = strchr(p, '=');
		if (value)
			*value++ = 0;
		if (*p)
			r = set_option(p, value ? value : "", ptmxmode);
		p = next;
	}
	kfree(copy);
	return r;
}

static int create_instance(const struct fs_type *type)
{
	struct super_block *sb = super_alloc(type, &devpts_super_ops, DEVPTS_MAGIC);
	if (!sb)
		return -ENOMEM;
	sb->blocksize = 1024;
	devpts.sb = sb;
	struct inode *root = new_inode(S_IFDIR | 0755, 1, 0);
	devpts.ptmx = new_inode(S_IFCHR, PTMX_INO, MKDEV(TTYAUX_MAJOR, 2));
	if (!root || !devpts.ptmx)
		return -ENOMEM;
	root->nlink = 2;
	root->ops = &dir_iops;
	root->fops = &dir_fops;
	devpts.ptmx->ops = &node_iops;
	sb->root = dentry_make_root(root);
	return sb->root ? 0 : -ENOMEM;
}

static struct super_block *devpts_mount(const struct fs_type *type, const char *source, const char *data,
                                        uint32_t flags)
{
	uint32_t ptmxmode = 0;
	bool given = data && strstr(data, "ptmxmode");
	int r = parse_options(data, &ptmxmode);
	if (!r && !devpts.sb)
		r = create_instance(type);
	if (r)
		return ERR_PTR(r);
	if (given)
		devpts.ptmx->mode = S_IFCHR | ptmxmode;
	super_get(devpts.sb);
	return devpts.sb;
}

const struct fs_type devpts_type = {.name = "devpts", .nodev = true, .owner = ns_owner_current,
	.mount = devpts_mount};
