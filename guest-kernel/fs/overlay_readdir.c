// SPDX-License-Identifier: Apache-2.0
/*
 * Reading overlay directories. A directory of the lower layer only is read straight through. Any other is read whole
 * at the first call (and again after a rewind): upper names, then the lower ones that they do not hide; a position is
 * an index into that list.
 */
#include "fs/overlay.h"

#include "fs/dirent.h"
#include "lib/rbtree.h"
#include "lib/string.h"

struct ovl_entry {
	struct rb_node node; /* by name */
	uint64_t ino;
	uint32_t hash;
	uint16_t len;
	uint8_t type;
	bool whiteout;
	bool check;          /* upper: ask the inode what it is */
	char name[];
};

struct ovl_list {
	struct rb_root names;
	struct ovl_entry **entries; /* in order */
	uint32_t count, space;
};

/* An open directory. */
struct ovl_dir {
	struct ovl_list *list; /* or NULL: read through */
	struct file *lower;    /* or NULL */
};

/* Collects what a real directory emits. */
struct collector {
	struct dir_context ctx;
	struct ovl_list *list;
	bool upper, failed;
};

static void list_free(struct ovl_list *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->count; i++)
		kfree(l->entries[i]);
	kfree(l->entries);
	kfree(l);
}

static int compare(uint32_t hash, const char *name, size_t len, const struct ovl_entry *e)
{
	if (hash != e->hash)
		return hash < e->hash ? -1 : 1;
	if (len != e->len)
		return len < e->len ? -1 : 1;
	return memcmp(name, e->name, len);
}

static bool list_append(struct ovl_list *l, struct ovl_entry *e)
{
	if (l->count == l->space) {
		uint32_t space = l->space ? l->space * 2 : 64;
		struct ovl_entry **bigger = krealloc(l->entries, space * sizeof(*bigger));
		if (!bigger)
			return false;
		l->entries = bigger;
		l->space = space;
	}
	l->entries[l->count++] = e;
	return true;
}

static bool collect(struct dir_context *ctx, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct collector *c = container_of(ctx, struct collector, ctx);
	struct ovl_list *l = c->list;
	uint32_t hash = name_hash(name, len);
	struct rb_node **link = &l->names.node, *parent = NULL;
	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	while (*link) {
		parent = *link;
		struct ovl_entry *old = rb_entry(parent, struct ovl_entry, node);
		int r = compare(hash, name, len, old);
		if (!r) {
			/* A merged directory has its lower number. */
			if (!c->upper && old->type == DT_DIR && type == DT_DIR && !old->whiteout)
				old->ino = ino;
			return true;
		}
		link = r < 0 ? &parent->left : &parent->right;
	}
	struct ovl_entry *e = kmalloc(sizeof(*e) + len + 1);
	if (!e || !list_append(l, e)) {
		kfree(e);
		c->failed = true;
		return false;
	}
	*e = (struct ovl_entry){.ino = ino, .hash = hash, .len = (uint16_t)len, .type = (uint8_t)type, .check = c->upper};
	memcpy(e->name, name, len);
	e->name[len] = 0;
	rb_link(&e->node, parent, link);
	rb_insert_fixup(&l->names, &e->node);
	return true;
}

/* Upper names: which are whiteouts, and what inode numbers they show. */
static void check_upper(struct ovl_list *l, struct dentry *udir)
{
	for (uint32_t i = 0; i < l->count; i++) {
		struct ovl_entry *e = l->entries[i];
		if (!e->check)
			continue;
		e->check = false;
		struct dentry *d = ovl_real_lookup(udir, e->name, e->len);
		if (!d || IS_ERR(d))
			continue;
		if (ovl_is_whiteout(d->inode))
			e->whiteout = true;
		else
			e->ino = ovl_upper_ino(d->inode);
		dentry_put(d);
	}
}

static int read_layer(const struct path *p, struct ovl_list *l, bool upper)
{
	struct collector c = {.ctx = {.emit = collect}, .list = l, .upper = upper};
	struct file *f = ovl_open_real(p, O_RDONLY | O_DIRECTORY, FMODE_READ);
	if (IS_ERR(f))
		return PTR_ERR(f);
	int r = -ENOTDIR;
	if (f->ops && f->ops->readdir) {
		mutex_lock(&f->inode->lock);
		uint64_t before;
		do {
			before = c.ctx.pos;
			r = f->ops->readdir(f, &c.ctx);
		} while (!r && !c.failed && c.ctx.pos != before);
		mutex_unlock(&f->inode->lock);
	}
	file_put(f);
	return c.failed ? -ENOMEM : r;
}

/* The merged contents of a directory, or ERR_PTR. */
static struct ovl_list *read_merged(struct inode *dir)
{
	struct ovl_inode *od = ovl_i(dir);
	struct ovl_sb *os = ovl_s(dir->sb);
	struct dentry *udir = ovl_upper(od);
	struct ovl_list *l = kzalloc(sizeof(*l));
	int r = l ? 0 : -ENOMEM;
	if (!r && udir) {
		r = read_layer(&(struct path){os->upper.mnt, udir}, l, true);
		if (!r)
			check_upper(l, udir);
	}
	if (!r && od->lower && !od->opaque)
		r = read_layer(&(struct path){os->lower.mnt, od->lower}, l, false);
	if (!r)
		return l;
	list_free(l);
	return ERR_PTR(r);
}

int ovl_dir_is_empty(struct inode *dir)
{
	struct ovl_list *l = read_merged(dir);
	if (IS_ERR(l))
		return PTR_ERR(l);
	int empty = 1;
	for (uint32_t i = 0; i < l->count; i++)
		if (!l->entries[i]->whiteout)
			empty = 0;
	list_free(l);
	return empty;
}

int ovl_clear_dir(struct dentry *udir)
{
	struct inode *dir = udir->inode;
	struct ovl_list *l = kzalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	struct path p = {&anon_mount, udir}; /* any mount: the file only reads names */
	int r = read_layer(&p, l, true);
	mutex_lock(&dir->lock);
	for (uint32_t i = 0; i < l->count && !r; i++) {
		struct dentry *d = ovl_clear_whiteout(udir, l->entries[i]->name, l->entries[i]->len);
		if (IS_ERR(d))
			r = PTR_ERR(d);
		else
			dentry_put(d);
	}
	mutex_unlock(&dir->lock);
	list_free(l);
	return r;
}

/* ---- the open directory ---- */
static int ovl_dir_open(struct inode *inode, struct file *file)
{
	file->private = kzalloc(sizeof(struct ovl_dir));
	return file->private ? 0 : -ENOMEM;
}

static void forget(struct ovl_dir *d)
{
	list_free(d->list);
	if (d->lower)
		file_put(d->lower);
	d->list = NULL;
	d->lower = NULL;
}

static void ovl_dir_release(struct file *file)
{
	if (file->private)
		forget(file->private);
	kfree(file->private);
}

static int start(struct inode *dir, struct ovl_dir *d)
{
	struct ovl_inode *od = ovl_i(dir);
	forget(d);
	if (!ovl_upper(od)) {
		struct path p = {ovl_s(dir->sb)->lower.mnt, od->lower};
		struct file *f = ovl_open_real(&p, O_RDONLY | O_DIRECTORY, FMODE_READ);
		if (IS_ERR(f))
			return PTR_ERR(f);
		d->lower = f;
		return 0;
	}
	struct ovl_list *l = read_merged(dir);
	if (IS_ERR(l))
		return PTR_ERR(l);
	d->list = l;
	return 0;
}

static int emit_list(struct file *file, struct ovl_list *l, struct dir_context *ctx)
{
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->ino, DT_DIR, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		struct dentry *parent;
		dentry_get_parent(file->path.dentry, &parent);
		uint64_t ino = parent->inode->ino;
		dentry_put(parent);
		if (!ctx->emit(ctx, "..", 2, ino, DT_DIR, 2))
			return 0;
		ctx->pos = 2;
	}
	while (ctx->pos - 2 < l->count) {
		struct ovl_entry *e = l->entries[ctx->pos - 2];
		if (!e->whiteout && !ctx->emit(ctx, e->name, e->len, e->ino, e->type, ctx->pos + 1))
			return 0;
		ctx->pos++;
	}
	return 0;
}

static int ovl_readdir(struct file *file, struct dir_context *ctx)
{
	struct ovl_dir *d = file->private;
	if (!ctx->pos || (!d->list && !d->lower)) {
		int r = start(file->inode, d);
		if (r)
			return r;
	}
	if (d->list)
		return emit_list(file, d->list, ctx);
	mutex_lock(&d->lower->inode->lock);
	int r = d->lower->ops->readdir ? d->lower->ops->readdir(d->lower, ctx) : -ENOTDIR;
	mutex_unlock(&d->lower->inode->lock);
	return r;
}

static int ovl_dir_fsync(struct file *file, bool datasync)
{
	return 0;
}

const struct file_ops ovl_dir_fops = {
	.open = ovl_dir_open,
	.release = ovl_dir_release,
	.llseek = file_dir_llseek,
	.readdir = ovl_readdir,
	.fsync = ovl_dir_fsync,
};
