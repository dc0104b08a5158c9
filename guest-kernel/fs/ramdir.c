// SPDX-License-Identifier: Apache-2.0
/*
 * Two trees over the same entries: by (hash, name) for lookups, by cookie (order of creation) for readdir. A position
 * is the cookie of the last entry returned, so additions and removals neither repeat nor skip other entries.
 */
#include "fs/ramdir.h"

#include "fs/namei.h"
#include "lib/string.h"

#define COOKIE_FIRST 2 /* 0: ".", 1: ".." */

void ram_dir_init(struct ram_dir *d)
{
	memset(d, 0, sizeof(*d));
	d->next_cookie = COOKIE_FIRST;
}

static int compare(uint32_t hash, const char *name, size_t len, const struct ram_entry *e)
{
	if (hash != e->hash)
		return hash < e->hash ? -1 : 1;
	if (len != e->len)
		return len < e->len ? -1 : 1;
	return memcmp(name, e->name, len);
}

struct ram_entry *ram_dir_find(struct ram_dir *d, const char *name, size_t len)
{
	uint32_t hash = name_hash(name, len);
	struct rb_node *n = d->names.node;
	while (n) {
		struct ram_entry *e = rb_entry(n, struct ram_entry, by_name);
		int c = compare(hash, name, len, e);
		if (c == 0)
			return e;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

static void insert_name(struct ram_dir *d, struct ram_entry *e)
{
	struct rb_node **link = &d->names.node, *parent = NULL;
	while (*link) {
		parent = *link;
		link = compare(e->hash, e->name, e->len, rb_entry(parent, struct ram_entry, by_name)) < 0 ? &parent->left
		                                                                                          : &parent->right;
	}
	rb_link(&e->by_name, parent, link);
	rb_insert_fixup(&d->names, &e->by_name);
}

/* Cookies only grow: the new one is the rightmost. */
static void insert_cookie(struct ram_dir *d, struct ram_entry *e)
{
	struct rb_node **link = &d->cookies.node, *parent = NULL;
	while (*link) {
		parent = *link;
		link = &parent->right;
	}
	rb_link(&e->by_cookie, parent, link);
	rb_insert_fixup(&d->cookies, &e->by_cookie);
}

int ram_dir_add(struct ram_dir *d, const char *name, size_t len, struct inode *inode)
{
	struct ram_entry *e = kmalloc(sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, len);
	e->name[len] = 0;
	e->len = len;
	e->hash = name_hash(name, len);
	e->inode = inode;
	e->cookie = d->next_cookie++;
	list_init(&e->link);
	insert_name(d, e);
	insert_cookie(d, e);
	d->count++;
	return 0;
}

struct inode *ram_dir_remove(struct ram_dir *d, struct ram_entry *e)
{
	struct inode *inode = e->inode;
	rb_erase(&d->names, &e->by_name);
	rb_erase(&d->cookies, &e->by_cookie);
	d->count--;
	kfree(e);
	return inode;
}

void ram_dir_take_all(struct ram_dir *d, struct list_node *out)
{
	for (struct rb_node *n = rb_first(&d->cookies); n; n = rb_next(n)) {
		struct ram_entry *e = rb_entry(n, struct ram_entry, by_cookie);
		list_add_tail(&e->link, out);
	}
	ram_dir_init(d);
}

/* The first entry with cookie >= from. */
static struct ram_entry *find_cookie(struct ram_dir *d, uint64_t from)
{
	struct rb_node *n = d->cookies.node;
	struct ram_entry *best = NULL;
	while (n) {
		struct ram_entry *e = rb_entry(n, struct ram_entry, by_cookie);
		if (e->cookie >= from) {
			best = e;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

int ram_dir_emit(struct ram_dir *d, struct file *file, struct dir_context *ctx)
{
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->ino, 4 /* DT_DIR */, 1))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		struct dentry *parent;
		dentry_get_parent(file->path.dentry, &parent);
		uint64_t ino = parent->inode->ino;
		dentry_put(parent);
		if (!ctx->emit(ctx, "..", 2, ino, 4, COOKIE_FIRST))
			return 0;
		ctx->pos = COOKIE_FIRST;
	}
	struct ram_entry *e = find_cookie(d, ctx->pos);
	while (e) {
		if (!ctx->emit(ctx, e->name, e->len, e->inode->ino, (e->inode->mode & S_IFMT) >> 12, e->cookie + 1))
			return 0;
		ctx->pos = e->cookie + 1;
		struct rb_node *n = rb_next(&e->by_cookie);
		e = n ? rb_entry(n, struct ram_entry, by_cookie) : NULL;
	}
	return 0;
}
