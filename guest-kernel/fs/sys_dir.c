// SPDX-License-Identifier: Apache-2.0
/* Reading directories; the current and the root directory: getdents(2), getcwd(2), chdir(2), chroot(2), readlink(2). */
#include "fs/vfs.h"

#include <linux/limits.h>

#include "fs/namei.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "task/task.h"

struct getdents {
	struct dir_context ctx;
	uva_t buf;
	uint64_t left;
	bool old_format; /* struct linux_dirent: the type is the record's last byte */
	int error;
	uint64_t done;
};

struct dirent64_head {
	uint64_t ino;
	uint64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

struct dirent_head {
	uint64_t ino;
	uint64_t off;
	uint16_t reclen;
	char name[];
} __attribute__((packed));

static bool emit_dirent(struct dir_context *ctx, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct getdents *g = container_of(ctx, struct getdents, ctx);
	char rec[sizeof(struct dirent64_head) + 256 + 8];
	size_t head = g->old_format ? sizeof(struct dirent_head) : sizeof(struct dirent64_head);
	size_t reclen = ROUND_UP(head + len + 1 + (g->old_format ? 1 : 0), (size_t)8);
	if (len > NAME_MAX_) {
		g->error = -EIO;
		return false;
	}
	if (reclen > g->left) {
		g->error = -EINVAL; /* reported only if nothing fitted */
		return false;
	}
	memset(rec, 0, reclen);
	if (g->old_format) {
		struct dirent_head *d = (struct dirent_head *)rec;
		d->ino = ino;
		d->off = next;
		d->reclen = reclen;
		rec[reclen - 1] = type;
	} else {
		struct dirent64_head *d = (struct dirent64_head *)rec;
		d->ino = ino;
		d->off = next;
		d->reclen = reclen;
		d->type = type;
	}
	memcpy(rec + head, name, len);
	if (copy_out(uva_add(g->buf, g->done), rec, reclen)) {
		g->error = -EFAULT;
		return false;
	}
	g->done += reclen;
	g->left -= reclen;
	return true;
}

static int64_t do_getdents(const struct sysargs *a, bool old_format)
{
	struct fdref r = fdref_get(arg_int(a, 0));
	struct getdents g = {.ctx.emit = emit_dirent, .buf = arg_uva(a, 1), .left = arg_u32(a, 2), .old_format = old_format};
	int64_t n = 0;
	if (!r.file)
		return -EBADF;
	struct file *f = r.file;
	if ((int64_t)g.left > INT32_MAX)
		g.left = 0; /* a negative size to Linux: no entry fits */
	if (!f->ops || !f->ops->readdir) {
		fdref_put(r);
		return -ENOTDIR;
	}
	mutex_lock(&f->pos_lock);
	mutex_lock(&f->inode->lock);
	if (f->inode->iflags & INODE_DEAD) {
		n = -ENOENT;
	} else {
		g.ctx.pos = f->pos;
		n = f->ops->readdir(f, &g.ctx);
		f->pos = g.ctx.pos;
	}
	mutex_unlock(&f->inode->lock);
	mutex_unlock(&f->pos_lock);
	if (n >= 0)
		notify_file(f, 0x1 /* IN_ACCESS */);
	fdref_put(r);
	if (g.done)
		return g.done;
	return n < 0 ? n : g.error;
}

int64_t sys_getdents(const struct sysargs *a) { return do_getdents(a, true); }
int64_t sys_getdents64(const struct sysargs *a) { return do_getdents(a, false); }

int64_t sys_getcwd(const struct sysargs *a)
{
	uva_t out = arg_uva(a, 0);
	uint64_t size = arg_u64(a, 1);
	struct path cwd;
	char *buf = kmalloc(PATH_MAX_);
	if (!buf)
		return -ENOMEM;
	fs_get_cwd(&cwd);
	int64_t r;
	if (cwd.dentry->flags & DENTRY_DELETED) {
		r = -ENOENT;
	} else {
		char *name = path_name(&cwd, buf, PATH_MAX_);
		if (IS_ERR(name)) {
			r = PTR_ERR(name);
		} else {
			r = strlen(name) + 1;
			if ((uint64_t)r > size)
				r = -ERANGE;
			else if (copy_out(out, name, r))
				r = -EFAULT;
		}
	}
	path_put(&cwd);
	kfree(buf);
	return r;
}

/* Consumes p's references. */
static void set_cwd(struct path *p)
{
	struct fs_context *fs = current->fs;
	spin_lock(&fs->lock);
	struct path old = fs->cwd;
	fs->cwd = *p;
	spin_unlock(&fs->lock);
	path_put(&old);
}

int64_t sys_chdir(const struct sysargs *a)
{
	struct path p;
	int r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	if (r)
		return r;
	r = path_permission(&p, MAY_EXEC);
	if (r)
		path_put(&p);
	else
		set_cwd(&p);
	return r;
}

int64_t sys_fchdir(const struct sysargs *a)
{
	struct fdref f = fdref_get_path(arg_int(a, 0));
	if (!f.file)
		return -EBADF;
	struct path p = f.file->path;
	int r = -ENOTDIR;
	if ((f.file->inode->mode & S_IFMT) == S_IFDIR)
		r = path_permission(&p, MAY_EXEC);
	if (r == 0) {
		path_get(&p);
		set_cwd(&p);
	}
	fdref_put(f);
	return r;
}

int64_t sys_chroot(const struct sysargs *a)
{
	struct fs_context *fs = current->fs;
	struct path p;
	int r = path_lookup_user(AT_FDCWD, arg_uva(a, 0), LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	if (r)
		return r;
	r = path_permission(&p, MAY_EXEC);
	if (r == 0 && !cred_own_capable(current->cred, CAP_SYS_CHROOT))
		r = -EPERM;
	if (r) {
		path_put(&p);
		return r;
	}
	spin_lock(&fs->lock);
	struct path old = fs->root;
	fs->root = p;
	spin_unlock(&fs->lock);
	path_put(&old);
	return 0;
}

static int64_t do_readlink(int dfd, uva_t name, uva_t buf, int size)
{
	if (size <= 0)
		return -EINVAL;
	char *s = copy_in_path_maybe_empty(name);
	if (IS_ERR(s))
		return PTR_ERR(s);
	bool empty = !*s;
	struct path p;
	int64_t r = path_lookup(dfd, s, LOOKUP_EMPTY, &p);
	kfree(s);
	if (r)
		return r;
	struct inode *i = p.dentry->inode;
	if ((i->mode & S_IFMT) != S_IFLNK || !(i->link || (i->ops && i->ops->readlink))) {
		r = empty ? -ENOENT : -EINVAL;
	} else {
		path_accessed(&p);
		const char *text = i->link ? i->link : i->ops->readlink(i);
		if (IS_ERR(text)) {
			r = PTR_ERR(text);
		} else {
			r = MIN((int64_t)strlen(text), (int64_t)size);
			if (copy_out(buf, text, r))
				r = -EFAULT;
			if (text != i->link)
				kfree(text);
		}
	}
	path_put(&p);
	return r;
}

int64_t sys_readlink(const struct sysargs *a)
{
	return do_readlink(AT_FDCWD, arg_uva(a, 0), arg_uva(a, 1), arg_int(a, 2));
}

int64_t sys_readlinkat(const struct sysargs *a)
{
	return do_readlink(arg_int(a, 0), arg_uva(a, 1), arg_uva(a, 2), arg_int(a, 3));
}

int64_t sys_umask(const struct sysargs *a)
{
	struct fs_context *fs = current->fs;
	spin_lock(&fs->lock);
	uint32_t old = fs->umask;
	fs->umask = arg_u32(a, 0) & 0777;
	spin_unlock(&fs->lock);
	return old;
}
