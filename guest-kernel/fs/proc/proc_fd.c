// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/fd, fdinfo and ns. */
#include "fs/proc/proc.h"

#include <linux/sched.h>

#include "lib/string.h"

/* The open file behind descriptor ref->number of ref->task, with a reference, or NULL. */
static struct file *file_in(const struct pseudo_ref *ref, struct files *files)
{
	if (!files)
		return NULL;
	struct file *f = files_lookup(files, (int)ref->number);
	files_put(files);
	return f;
}

static struct file *fd_file(const struct pseudo_ref *ref) { return file_in(ref, proc_task_files(ref->task)); }

static bool fd_alive(const struct pseudo_ref *ref)
{
	struct file *f = fd_file(ref);
	if (f)
		file_put(f);
	return f != NULL;
}

static int fd_follow(const struct pseudo_ref *ref, struct path *out)
{
	struct files *files = proc_access_files(ref->task);
	struct file *f = IS_ERR(files) ? NULL : file_in(ref, files);
	if (!f)
		return IS_ERR(files) ? PTR_ERR(files) : -ENOENT;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static char *fd_link(const struct pseudo_ref *ref)
{
	struct path p;
	int err = fd_follow(ref, &p);
	if (err)
		return ERR_PTR(err);
	char *buf = kmalloc(PATH_MAX_);
	char *name = buf ? path_name_unmarked(&p, buf, PATH_MAX_) : ERR_PTR(-ENOMEM);
	if (!IS_ERR(name)) {
		name = kstrdup(name);
		if (!name)
			name = ERR_PTR(-ENOMEM);
	}
	kfree(buf);
	path_put(&p);
	return name;
}

/* What the descriptor is open for shows in the link's permissions. */
static uint32_t fd_permissions(const struct pseudo_ref *ref)
{
	struct file *f = fd_file(ref);
	uint32_t mode = 0;
	if (f) {
		mode |= f->mode & FMODE_READ ? 0500 : 0;
		mode |= f->mode & FMODE_WRITE ? 0300 : 0;
		file_put(f);
	}
	return mode;
}

static int fdinfo_show(struct seq *s, const struct pseudo_ref *ref)
{
	struct file *f = fd_file(ref);
	if (!f)
		return -ENOENT;
	struct files *files = proc_task_files(ref->task);
	uint32_t flags = f->flags | (files && files_get_cloexec(files, (int)ref->number) ? O_CLOEXEC : 0);
	if (files)
		files_put(files);
	seq_printf(s, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (unsigned long long)f->pos, flags,
	           f->path.mnt ? f->path.mnt->id : 0, (unsigned long long)f->inode->ino);
	if (f->ops && f->ops->show_fdinfo) {
		char *buf = kmalloc(PAGE_SIZE);
		if (buf) {
			int n = f->ops->show_fdinfo(f, buf, PAGE_SIZE);
			if (n > 0)
				seq_write(s, buf, MIN((size_t)n, (size_t)PAGE_SIZE - 1));
			kfree(buf);
		}
	}
	file_put(f);
	return 0;
}

static const struct pseudo_entry fd_entry = {"fd", S_IFLNK | 0700, .link = fd_link, .follow = fd_follow,
                                             .alive = fd_alive, .size = 64, .permissions = fd_permissions};
static const struct pseudo_entry fdinfo_entry = {"fdinfo", FILE_OWN, .show = fdinfo_show, .alive = fd_alive};

static int lookup_number(const struct pseudo_ref *dir, const struct pseudo_entry *e, const char *name, size_t len,
                         struct pseudo_ref *out)
{
	char buf[16];
	uint64_t fd;
	if (!len || len >= sizeof(buf) || (len > 1 && name[0] == '0'))
		return -ENOENT;
	memcpy(buf, name, len);
	buf[len] = '\0';
	if (parse_u64(buf, 10, &fd) || fd > 0x7fffffff)
		return -ENOENT;
	struct pseudo_ref r = {e, dir->task, fd};
	if (!fd_alive(&r))
		return -ENOENT;
	task_get(r.task);
	*out = r;
	return 0;
}

int proc_fd_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	return lookup_number(dir, &fd_entry, name, len, out);
}

int proc_fdinfo_lookup(const struct pseudo_ref *dir, const char *name, size_t len, struct pseudo_ref *out)
{
	return lookup_number(dir, &fdinfo_entry, name, len, out);
}

bool proc_fd_next(const struct pseudo_ref *dir, uint64_t *cookie, char *name, unsigned *type)
{
	struct files *files = proc_task_files(dir->task);
	if (!files)
		return false;
	int fd = *cookie > 0x7fffffff ? -1 : files_next_fd(files, (int)*cookie);
	files_put(files);
	if (fd < 0)
		return false;
	snprintf(name, 32, "%d", fd);
	*type = dir->entry->lookup == proc_fd_lookup ? 10 : 8;
	*cookie = (uint64_t)fd;
	return true;
}
