// SPDX-License-Identifier: Apache-2.0
/* Pseudo file systems (see pseudo.h). */
#include "fs/pseudo.h"

#include "fs/namei.h"
#include "fs/poll.h"
#include <linux/magic.h>

#include "lib/string.h"
#include "task/task.h"

#define DT_OF_MODE(m) ((m) >> 12 & 15)
#define STATIC_COOKIE 2              /* cookies 0 and 1 are "." and ".." */
#define DYNAMIC_COOKIE (1ULL << 32)

static const struct inode_ops dir_iops, file_iops, link_iops, magic_link_iops;
static const struct file_ops dir_fops, text_fops;

/* ---- inodes --------------------------------------------------------------------------------------------- */

/* Stable for the life of what it names: mixes the entry's address, the task and the number. */
static uint64_t pseudo_ino(const struct pseudo_ref *ref)
{
	uint64_t h = (uint64_t)ref->entry * 0x9e3779b97f4a7c15ULL;
	h ^= (ref->task ? (uint64_t)ref->task->tid + 1 : 0) * 0xc2b2ae3d27d4eb4fULL;
	h ^= (ref->number + 1) * 0x165667b19e3779f9ULL;
	return (h >> 16 & 0xffffffffffULL) | 0x10000;
}

/* Takes over the task reference in *ref, also when it fails. */
static struct inode *pseudo_inode(struct super_block *sb, const struct pseudo_ref *ref)
{
	struct inode *inode = inode_alloc(sb);
	struct pseudo_ref *own = kmalloc(sizeof(*own));
	if (!inode || !own) {
		if (ref->task)
			task_put(ref->task);
		kfree(own);
		if (inode)
			inode_put(inode);
		return NULL;
	}
	*own = *ref;
	own->sb = sb;
	inode->private = own;
	inode->ino = pseudo_ino(ref);
	inode->mode = ref->entry->mode;
	inode->size = ref->entry->size;
	inode->nlink = S_ISDIR(inode->mode) ? 2 : 1;
	inode->atime.tv_sec = inode->mtime.tv_sec = inode->ctime.tv_sec = (int64_t)(clock_realtime() / 1000000000);
	if (S_ISDIR(inode->mode)) {
		inode->ops = &dir_iops;
		inode->fops = &dir_fops;
	} else if (S_ISLNK(inode->mode)) {
		inode->ops = ref->entry->follow ? &magic_link_iops : &link_iops;
	} else {
		inode->ops = &file_iops;
		inode->fops = ref->entry->fops ? ref->entry->fops : &text_fops;
	}
	return inode;
}

void pseudo_evict(struct inode *inode)
{
	struct pseudo_ref *ref = inode->private;
	if (!ref)
		return;
	if (ref->task)
		task_put(ref->task);
	kfree(ref);
	inode->private = NULL;
}

const struct pseudo_ref *pseudo_dir_ref(const struct file *f)
{
	return f->inode && f->inode->ops == &dir_iops ? pseudo_ref_of(f->inode) : NULL;
}

/* Can the task still be found by its number? A leader can until it is waited for. Read racily. */
static bool is_linked(struct task *t)
{
	return !READ_ONCE(t->exited) || (READ_ONCE(t->proc->leader) == t && !READ_ONCE(t->proc->reaped));
}

static bool pseudo_alive(const struct pseudo_ref *ref)
{
	if (ref->task && !is_linked(ref->task))
		return false;
	return !ref->entry->alive || ref->entry->alive(ref);
}

int pseudo_revalidate(struct dentry *dentry)
{
	return !dentry->inode || pseudo_alive(pseudo_ref_of(dentry->inode));
}

static uint32_t mode_of(const struct inode *inode)
{
	const struct pseudo_ref *ref = pseudo_ref_of(inode);
	return ref->entry->permissions ? (inode->mode & S_IFMT) | ref->entry->permissions(ref) : inode->mode;
}

/* Objects of a task belong to its effective ids (proc(5)), whoever made the inode. */
static int pseudo_getattr(struct inode *inode, struct kstat *st)
{
	const struct pseudo_ref *ref = pseudo_ref_of(inode);
	uint32_t uid = 0, gid = 0;
	if (ref->task) {
		spin_lock(&ref->task->lock);
		if (ref->task->cred) {
			uid = ref->task->cred->euid;
			gid = ref->task->cred->egid;
		}
		spin_unlock(&ref->task->lock);
		inode->uid = uid;
		inode->gid = gid;
	}
	inode->mode = mode_of(inode);
	*st = (struct kstat){.ino = inode->ino, .dev = inode->sb->dev, .size = inode->size, .mode = inode->mode,
	                     .nlink = ref->entry->nlink ? ref->entry->nlink(ref) : inode->nlink, .uid = inode->uid, .gid = inode->gid, .blksize = 1024,
	                     .atime = inode->atime, .mtime = inode->mtime, .ctime = inode->ctime};
	return 0;
}

/* May the current task, by its effective ids? */
static bool sysctl_allows(const struct inode *inode, int mask)
{
	const struct cred *c = current->cred;
	uint32_t bits = mode_of(inode);
	if (!c->euid)
		bits >>= 6;
	else if (!c->egid || cred_in_group(c, 0))
		bits >>= 3;
	return ((int)bits & mask & 7) == (mask & 7);
}

/* A read or write by a task that need not be the one that opened the file. */
static bool still_allowed(const struct inode *inode, int mask)
{
	const struct pseudo_entry *e = pseudo_ref_of(inode)->entry;
	return !e->sysctl || e->permissions || sysctl_allows(inode, mask);
}

static int pseudo_permission(struct inode *inode, int mask)
{
	const struct pseudo_ref *ref = pseudo_ref_of(inode);
	if (ref->entry->permission) {
		int err = ref->entry->permission(ref, mask);
		if (err)
			return err;
	}
	if (ref->entry->sysctl)
		return sysctl_allows(inode, mask) ? 0 : -EACCES;
	struct kstat st;
	pseudo_getattr(inode, &st); /* refreshes the owner */
	const struct cred *c = current->cred;
	uint32_t bits = mode_of(inode);
	if (c->fsuid == inode->uid)
		bits >>= 6;
	else if (cred_in_group(c, inode->gid))
		bits >>= 3;
	if (((int)bits & mask & 7) == (mask & 7))
		return 0;
	if (inode_capable(inode, CAP_DAC_OVERRIDE) && (!(mask & MAY_EXEC) || S_ISDIR(inode->mode) || inode->mode & 0111))
		return 0;
	return -EACCES;
}

/* Attributes are fixed; opening with O_TRUNC must succeed. */
static int pseudo_setattr(struct inode *inode, struct iattr *attr)
{
	return attr->valid & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

/* ---- directories ------------------------------------------------------------------------------------------ */

static int dir_lookup(struct inode *dir, struct dentry *dentry)
{
	const struct pseudo_ref *ref = pseudo_ref_of(dir);
	struct pseudo_ref found = {0};
	if (!pseudo_alive(ref))
		return -ESRCH;
	for (const struct pseudo_entry *e = ref->entry->children; e && e->name; e++) {
		if (strlen(e->name) == dentry->name_len && !memcmp(e->name, dentry->name, dentry->name_len)) {
			found = (struct pseudo_ref){e, ref->task, ref->number, dir->sb};
			if (found.task)
				task_get(found.task);
			if (!pseudo_alive(&found)) {
				if (found.task)
					task_put(found.task);
				return 0;
			}
			break;
		}
	}
	if (!found.entry) {
		if (!ref->entry->lookup)
			return 0;
		int err = ref->entry->lookup(ref, dentry->name, dentry->name_len, &found);
		if (err) {
			dentry->flags |= DENTRY_NO_CACHE;
			return err == -ENOENT ? 0 : err;
		}
	}
	if (found.task || found.entry->alive)
		dentry->flags |= DENTRY_NO_CACHE;
	struct inode *inode = pseudo_inode(dir->sb, &found);
	if (!inode)
		return -ENOMEM;
	dentry_instantiate(dentry, inode);
	return 0;
}

/* Positions: 0 ".", 1 "..", then the table, then DYNAMIC_COOKIE + the directory's own cookies. */
static int dir_readdir(struct file *file, struct dir_context *ctx)
{
	const struct pseudo_ref *ref = pseudo_ref_of(file->inode);
	if (!pseudo_alive(ref))
		return -ENOENT;
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->ino, DT_OF_MODE(S_IFDIR), 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		struct inode *up = file->path.dentry->parent->inode;
		if (!ctx->emit(ctx, "..", 2, up->ino, DT_OF_MODE(S_IFDIR), 2))
			return 0;
		ctx->pos = STATIC_COOKIE;
	}
	if (ctx->pos < DYNAMIC_COOKIE) {
		const struct pseudo_entry *e = ref->entry->children;
		uint64_t i = STATIC_COOKIE;
		for (; e && e->name; e++, i++) {
			if (i < ctx->pos)
				continue;
			struct pseudo_ref r = {e, ref->task, ref->number, ref->sb};
			if (e->alive && !e->alive(&r))
				continue;
			if (!ctx->emit(ctx, e->name, strlen(e->name), pseudo_ino(&r), DT_OF_MODE(e->mode), i + 1))
				return 0;
			ctx->pos = i + 1;
		}
		ctx->pos = DYNAMIC_COOKIE;
	}
	if (!ref->entry->next)
		return 0;
	uint64_t cookie = ctx->pos - DYNAMIC_COOKIE;
	char name[64];
	unsigned type;
	while (ref->entry->next(ref, &cookie, name, &type)) {
		uint64_t ino = (cookie + 0x10000) ^ file->inode->ino << 20;
		if (!ctx->emit(ctx, name, strlen(name), ino, type, DYNAMIC_COOKIE + cookie + 1))
			return 0;
		ctx->pos = DYNAMIC_COOKIE + ++cookie;
	}
	return 0;
}

/* In proc a name that cannot be is missing, not forbidden. */
static int refuse(const struct inode *dir, int otherwise)
{
	return dir->sb->magic == PROC_SUPER_MAGIC ? -ENOENT : otherwise;
}

static int dir_create(struct inode *dir, struct dentry *d, uint32_t mode) { return refuse(dir, -EACCES); }
static int dir_mkdir(struct inode *dir, struct dentry *d, uint32_t mode) { return refuse(dir, -EPERM); }
static int dir_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t dev) { return refuse(dir, -EPERM); }
static int dir_symlink(struct inode *dir, struct dentry *d, const char *target) { return refuse(dir, -EPERM); }

static const struct inode_ops dir_iops = {
	.lookup = dir_lookup, .create = dir_create, .mkdir = dir_mkdir, .mknod = dir_mknod, .symlink = dir_symlink, .getattr = pseudo_getattr, .setattr = pseudo_setattr, .permission = pseudo_permission};
static const struct file_ops dir_fops = {.readdir = dir_readdir};

/* ---- links ------------------------------------------------------------------------------------------------ */

static char *link_readlink(struct inode *inode)
{
	const struct pseudo_ref *ref = pseudo_ref_of(inode);
	return ref->entry->link ? ref->entry->link(ref) : ERR_PTR(-EINVAL);
}

static int link_follow(struct inode *inode, struct path *out)
{
	const struct pseudo_ref *ref = pseudo_ref_of(inode);
	return ref->entry->follow(ref, out);
}

static const struct inode_ops link_iops = {
	.readlink = link_readlink, .getattr = pseudo_getattr, .setattr = pseudo_setattr};
static const struct inode_ops magic_link_iops = {
	.readlink = link_readlink, .follow = link_follow, .getattr = pseudo_getattr, .setattr = pseudo_setattr};

/* ---- text files ------------------------------------------------------------------------------------------- */

struct text {
	struct mutex lock;
	struct seq seq;  /* contents as of the last read at offset 0; lock */
	bool made;
	uint32_t seen;   /* of the entry's poll */
	struct ns_common *held; /* a reference, or NULL */
};

static int text_open(struct inode *inode, struct file *file)
{
	const struct pseudo_entry *e = pseudo_ref_of(inode)->entry;
	if ((file->mode & FMODE_READ) && !e->show && !e->show_opened)
		return -EACCES;
	struct text *t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock);
	t->held = e->hold ? e->hold(pseudo_ref_of(inode)) : NULL;
	file->private = t;
	if (e->poll)
		e->poll(file, NULL, &t->seen);
	return 0;
}

static void text_release(struct file *file)
{
	struct text *t = file->private;
	if (t) {
		seq_free(&t->seq);
		ns_put(t->held);
		kfree(t);
	}
}

struct ns_common *pseudo_held(const struct file *file)
{
	return ((const struct text *)file->private)->held;
}

static int make_text(struct file *file, struct seq *s)
{
	const struct pseudo_ref *ref = pseudo_ref_of(file->inode);
	if (!pseudo_alive(ref))
		return -ESRCH;
	return ref->entry->show ? ref->entry->show(s, ref) : ref->entry->show_opened(s, ref, file);
}

/* Contents are made anew by each read at offset 0, so that a reader that rewinds sees the present. */
static ssize_t_ text_read(struct file *file, struct iter *to, uint64_t *pos)
{
	struct text *t = file->private;
	ssize_t_ ret;
	if (!still_allowed(file->inode, MAY_READ))
		return -EPERM;
	mutex_lock(&t->lock);
	if (!t->made || *pos == 0) {
		t->seq.len = 0;
		t->seq.failed = false;
		ret = make_text(file, &t->seq);
		if (!ret && t->seq.failed)
			ret = -ENOMEM;
		if (ret)
			goto out;
		t->made = true;
	}
	if (*pos >= t->seq.len) {
		ret = 0;
		goto out;
	}
	size_t want = MIN(to->count, t->seq.len - *pos);
	size_t n = iter_copy_to(to, t->seq.buf + *pos, want);
	*pos += n;
	ret = n || !want ? (ssize_t_)n : -EFAULT;
out:
	mutex_unlock(&t->lock);
	return ret;
}

static ssize_t_ text_write(struct file *file, struct iter *from, uint64_t *pos)
{
	const struct pseudo_ref *ref = pseudo_ref_of(file->inode);
	size_t len = from->count;
	if (!ref->entry->store && !ref->entry->store_opened)
		return ref->task ? -EINVAL : -EIO; /* opened for writing by the powers of root */
	if (!still_allowed(file->inode, MAY_WRITE))
		return -EPERM;
	if (ref->entry->sysctl && (!len || *pos)) {
		*pos += len;
		return (ssize_t_)len;
	}
	if (len >= PAGE_SIZE)
		return -EINVAL;
	char *text = kmalloc(len + 1);
	if (!text)
		return -ENOMEM;
	ssize_t_ ret = -EFAULT;
	if (iter_copy_from(from, text, len) == len) {
		text[len] = '\0';
		if (!pseudo_alive(ref))
			ret = -ESRCH;
		else if (ref->entry->store)
			ret = ref->entry->store(ref, text, len);
		else
			ret = *pos ? -EINVAL : ref->entry->store_opened(ref, file, text, len);
	}
	kfree(text);
	if (ret > 0)
		*pos += (uint64_t)ret;
	return ret;
}

static uint32_t text_poll(struct file *file, struct poll_table *pt)
{
	const struct pseudo_entry *e = pseudo_ref_of(file->inode)->entry;
	struct text *t = file->private;

	return e->poll ? e->poll(file, pt, &t->seen) : EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;
}

static int64_t text_llseek(struct file *file, int64_t off, int whence)
{
	if (whence == 1)
		off += (int64_t)file->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	file->pos = (uint64_t)off;
	return off;
}

static const struct inode_ops file_iops = {
	.getattr = pseudo_getattr, .setattr = pseudo_setattr, .permission = pseudo_permission};
static const struct file_ops text_fops = {
	.open = text_open, .release = text_release, .read = text_read, .write = text_write, .poll = text_poll,
	.llseek = text_llseek};

/* ---- mount ------------------------------------------------------------------------------------------------- */

int pseudo_statfs(struct super_block *sb, struct hc_statfs *st)
{
	*st = (struct hc_statfs){.type = sb->magic, .bsize = 4096, .frsize = 4096, .namelen = 255};
	return 0;
}

static const struct super_ops pseudo_sops = {PSEUDO_SUPER_OPS};

struct super_block *pseudo_mount(const struct fs_type *type, const struct pseudo_entry *root, uint32_t magic)
{
	return pseudo_mount_private(type, root, magic, &pseudo_sops, NULL);
}

struct super_block *pseudo_mount_private(const struct fs_type *type, const struct pseudo_entry *root, uint32_t magic,
                                         const struct super_ops *ops, void *private)
{
	struct super_block *sb = super_alloc(type, ops, magic);
	if (!sb)
		return ERR_PTR(-ENOMEM);
	struct pseudo_ref ref = {root, NULL, 0, sb};
	struct inode *inode = pseudo_inode(sb, &ref);
	if (inode)
		inode->ino = 1;
	sb->root = inode ? dentry_make_root(inode) : NULL;
	if (!sb->root) {
		if (inode)
			inode_put(inode);
		super_put(sb);
		return ERR_PTR(-ENOMEM);
	}
	sb->private = private;
	return sb;
}
