// SPDX-License-Identifier: Apache-2.0
/*
 * The cache of names. A dentry is found by (parent, name) in a hash table with a spinlock per bucket; a hit costs
 * that lock and one increment, a put one decrement.
 *
 * Lifetime, in the word dentry->refs (count + DENTRY_SLOW_PUT):
 *   n > 0               in use
 *   0                   unused but hashed: a lookup (bucket lock held) may take it, the shrinker may kill it
 *   0 + SLOW_PUT        dead: being freed, nobody may take a reference
 * The count goes 0 -> dead and 0 -> 1 only under the bucket lock. Without SLOW_PUT the last put is a plain decrement;
 * with it (unhashed, or DENTRY_NO_CACHE) the last put kills. A live dentry holds references on its parent and inode.
 * A positive dentry never becomes negative: a removed name is unhashed and keeps its inode for its users.
 *
 * Locks: dentry->lock > bucket lock; dcache_tree_lock (children, the list of hashed dentries; parent and name change
 * under it as well as under the dentry's and the bucket's) > bucket lock.
 */
#include "fs/vfs.h"

#include "fs/namei.h"
#include "lib/string.h"
#include "task/sched.h"

#define HASH_BITS 12
#define SLOW DENTRY_SLOW_PUT
#define CACHE_MAX 65536u /* hashed dentries before unused ones are dropped */

static struct bucket {
	spinlock_t lock;
	struct dentry *first;
} table[1u << HASH_BITS];

spinlock_t dcache_tree_lock = SPINLOCK_INIT;
static struct list_node hashed_list = LIST_INIT(hashed_list); /* dcache_tree_lock; oldest first */
static uint32_t nr_hashed;                                    /* dcache_tree_lock; read racily */

uint32_t name_hash(const char *name, size_t len)
{
	uint32_t h = 0;
	for (size_t i = 0; i < len; i++)
		h = (h + (uint8_t)name[i]) * 0x01000193u;
	return h;
}

static struct bucket *bucket_of(const struct dentry *parent, uint32_t hash)
{
	uint64_t k = ((uint64_t)parent >> 6) ^ hash;
	return &table[(k * 0x9e3779b97f4a7c15UL) >> (64 - HASH_BITS)];
}

static bool dentry_has_name(const struct dentry *d, const char *name, size_t len)
{
	return d->name_len == len && memcmp(d->name, name, len) == 0;
}

static void bucket_insert(struct bucket *b, struct dentry *d)
{
	d->hash_next = b->first;
	if (b->first)
		b->first->hash_prev = &d->hash_next;
	d->hash_prev = &b->first;
	b->first = d;
}

static void bucket_remove(struct dentry *d)
{
	*d->hash_prev = d->hash_next;
	if (d->hash_next)
		d->hash_next->hash_prev = d->hash_prev;
	d->hash_next = NULL;
	d->hash_prev = NULL;
}

struct dentry *dentry_lookup_hash(struct dentry *dir, const char *name, size_t len, uint32_t hash)
{
	struct bucket *b = bucket_of(dir, hash);
	struct dentry *d;
	spin_lock(&b->lock);
	for (d = b->first; d; d = d->hash_next) {
		if (d->hash == hash && d->parent == dir && dentry_has_name(d, name, len)) {
			ref_get(&d->refs);
			break;
		}
	}
	spin_unlock(&b->lock);
	if (d && !d->referenced)
		d->referenced = true;
	return d;
}

struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len)
{
	struct dentry *d = kzalloc(sizeof(*d));
	if (!d)
		return NULL;
	d->name = d->iname;
	if (len >= sizeof(d->iname)) {
		d->name = kmalloc(len + 1);
		if (!d->name) {
			kfree(d);
			return NULL;
		}
	}
	memcpy(d->name, name, len);
	d->name[len] = 0;
	d->name_len = len;
	d->hash = name_hash(name, len);
	d->refs.n = 1 | SLOW;
	spin_init(&d->lock);
	list_init(&d->child_link);
	list_init(&d->children);
	list_init(&d->lru_link);
	list_init(&d->alias_link);
	if (!parent) {
		d->parent = d;
		return d;
	}
	dentry_get(parent);
	d->parent = parent;
	d->sb = parent->sb;
	spin_lock(&dcache_tree_lock);
	list_add_tail(&d->child_link, &parent->children);
	spin_unlock(&dcache_tree_lock);
	return d;
}

struct dentry *dentry_make_root(struct inode *inode)
{
	struct dentry *d = dentry_alloc(NULL, "/", 1);
	if (!d)
		return NULL;
	d->sb = inode->sb;
	d->inode = inode;
	spin_lock(&inode->spin);
	list_add(&d->alias_link, &inode->aliases);
	spin_unlock(&inode->spin);
	return d;
}

/* Frees a dead dentry that is off the hash; returns its parent, whose reference passes to the caller. */
static struct dentry *free_dead(struct dentry *d)
{
	struct dentry *parent = d->parent == d ? NULL : d->parent;
	spin_lock(&dcache_tree_lock);
	list_del(&d->child_link);
	if (!list_empty(&d->lru_link)) {
		list_del(&d->lru_link);
		nr_hashed--;
	}
	spin_unlock(&dcache_tree_lock);
	if (d->inode) {
		spin_lock(&d->inode->spin);
		list_del(&d->alias_link);
		spin_unlock(&d->inode->spin);
		if (d->inode->nlink == 0 && !list_empty(&d->inode->marks))
			notify_inode_gone(d->inode);
		inode_put(d->inode);
	}
	if (d->name != d->iname)
		kfree(d->name);
	kfree(d);
	return parent;
}

/* The caller holds what may be the last reference of a slow dentry. Returns true if it died (now off the hash). */
static bool put_slow(struct dentry *d)
{
	struct bucket *b = NULL;
	/* parent and hash are stable only under d->lock: a rename may move a NO_CACHE dentry */
	spin_lock(&d->lock);
	bool hashed = d->flags & DENTRY_HASHED;
	if (hashed) {
		b = bucket_of(d->parent, d->hash);
		spin_lock(&b->lock);
	}
	bool dead = atomic_cas(&d->refs.n, 1 | SLOW, SLOW);
	if (dead && hashed) {
		bucket_remove(d);
		d->flags &= ~DENTRY_HASHED;
	}
	if (hashed)
		spin_unlock(&b->lock);
	spin_unlock(&d->lock);
	return dead;
}

void dentry_put(struct dentry *d)
{
	while (d) {
		uint32_t n = atomic_load(&d->refs.n);
		for (;;) {
			if (n == (1 | SLOW)) {
				if (put_slow(d))
					break;
				n = atomic_load(&d->refs.n);
			} else if (__atomic_compare_exchange_n(&d->refs.n, &n, n - 1, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
				return;
			}
		}
		d = free_dead(d);
	}
}

static void hash_dentry(struct dentry *d)
{
	spin_lock(&dcache_tree_lock);
	if (list_empty(&d->lru_link)) {
		list_add_tail(&d->lru_link, &hashed_list);
		nr_hashed++;
	}
	spin_unlock(&dcache_tree_lock);
	spin_lock(&d->lock);
	if (!(d->flags & DENTRY_HASHED)) {
		struct bucket *b = bucket_of(d->parent, d->hash);
		spin_lock(&b->lock);
		bucket_insert(b, d);
		d->flags |= DENTRY_HASHED;
		spin_unlock(&b->lock);
		if (!(d->flags & DENTRY_NO_CACHE))
			atomic_and(&d->refs.n, ~SLOW);
	}
	spin_unlock(&d->lock);
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	if (inode) {
		spin_lock(&inode->spin);
		list_add(&d->alias_link, &inode->aliases);
		spin_unlock(&inode->spin);
		__atomic_store_n(&d->inode, inode, __ATOMIC_RELEASE);
	}
	hash_dentry(d);
}

/* The caller has a reference, so the count is at least one and SLOW_PUT hands the rest to the last put. */
static void unhash(struct dentry *d, uint32_t set_flags)
{
	atomic_or(&d->refs.n, SLOW);
	spin_lock(&dcache_tree_lock);
	if (!list_empty(&d->lru_link)) {
		list_del(&d->lru_link);
		nr_hashed--;
	}
	spin_unlock(&dcache_tree_lock);
	spin_lock(&d->lock);
	if (d->flags & DENTRY_HASHED) {
		struct bucket *b = bucket_of(d->parent, d->hash);
		spin_lock(&b->lock);
		bucket_remove(d);
		d->flags &= ~DENTRY_HASHED;
		spin_unlock(&b->lock);
	}
	d->flags |= set_flags;
	spin_unlock(&d->lock);
}

void dentry_drop(struct dentry *d) { unhash(d, 0); }

void dentry_delete(struct dentry *d) { unhash(d, DENTRY_DELETED); }

static size_t shrink_pass(struct super_block *sb, size_t max, bool force);

/* Not under a directory's lock: what is dropped may need it. */
static void maybe_shrink(void)
{
	if (unlikely(READ_ONCE(nr_hashed) > CACHE_MAX))
		shrink_pass(NULL, 256, false);
}

static struct dentry *lookup_locked_hash(struct dentry *dir, const char *name, size_t len, uint32_t hash)
{
	struct inode *inode = dir->inode;
	for (;;) {
		struct dentry *d = dentry_lookup_hash(dir, name, len, hash);
		if (!d)
			break;
		if (!d->sb->ops || !d->sb->ops->revalidate || atomic_load(&d->mounted))
			return d;
		int valid = d->sb->ops->revalidate(d);
		if (valid > 0)
			return d;
		dentry_drop(d);
		dentry_put(d);
		if (valid < 0)
			return ERR_PTR(valid);
	}
	if (inode->iflags & INODE_DEAD)
		return ERR_PTR(-ENOENT);
	if (!inode->ops->lookup)
		return ERR_PTR(-ENOTDIR);
	struct dentry *d = dentry_alloc(dir, name, len);
	if (!d)
		return ERR_PTR(-ENOMEM);
	int r = inode->ops->lookup(inode, d);
	if (r < 0 && r != -ENOENT) {
		dentry_put(d);
		return ERR_PTR(r);
	}
	/* A negative answer is worth keeping too, unless the file system says otherwise. */
	if (!(d->flags & (DENTRY_HASHED | DENTRY_NO_CACHE)))
		hash_dentry(d);
	return d;
}

struct dentry *dentry_lookup_locked(struct dentry *dir, const char *name, size_t len)
{
	return lookup_locked_hash(dir, name, len, name_hash(name, len));
}

struct dentry *dentry_lookup(struct dentry *dir, const char *name, size_t len)
{
	uint32_t hash = name_hash(name, len);
	struct dentry *d = dentry_lookup_hash(dir, name, len, hash);
	if (d) {
		if (!d->sb->ops || !d->sb->ops->revalidate || atomic_load(&d->mounted))
			return d;
		int valid = d->sb->ops->revalidate(d);
		if (valid > 0)
			return d;
		if (valid == 0)
			dentry_drop(d);
		dentry_put(d);
		if (valid < 0)
			return ERR_PTR(valid);
	}
	mutex_lock(&dir->inode->lock);
	d = lookup_locked_hash(dir, name, len, hash);
	mutex_unlock(&dir->inode->lock);
	maybe_shrink();
	return d;
}

void dentry_get_parent(struct dentry *d, struct dentry **out)
{
	spin_lock(&d->lock);
	*out = d->parent;
	dentry_get(*out);
	spin_unlock(&d->lock);
}

bool dentry_is_ancestor(struct dentry *anc, struct dentry *d)
{
	bool found = false;
	spin_lock(&dcache_tree_lock);
	for (;; d = d->parent) {
		if (d == anc) {
			found = true;
			break;
		}
		if (d->parent == d)
			break;
	}
	spin_unlock(&dcache_tree_lock);
	return found;
}

static void swap_names(struct dentry *a, struct dentry *b)
{
	char tmp[sizeof(a->iname)];
	char *an = a->name, *bn = b->name;
	uint32_t len = a->name_len, hash = a->hash;
	bool ai = an == a->iname, bi = bn == b->iname;
	memcpy(tmp, a->iname, sizeof(tmp));
	memcpy(a->iname, b->iname, sizeof(tmp));
	memcpy(b->iname, tmp, sizeof(tmp));
	a->name = bi ? a->iname : bn;
	b->name = ai ? b->iname : an;
	a->name_len = b->name_len;
	a->hash = b->hash;
	b->name_len = len;
	b->hash = hash;
}

/*
 * Gives a the name and the place of b, and b those of a. Both parents' inode locks are held, so nobody else changes
 * either; lookups see each dentry at its old place, then nowhere, then at the new one, which is why they repeat a miss
 * under the directory's lock.
 */
static void swap_places(struct dentry *a, struct dentry *b, bool hash_b)
{
	bool hash_a = a->flags & DENTRY_HASHED;
	spin_lock(&dcache_tree_lock);
	struct dentry *both[2] = {(uint64_t)a < (uint64_t)b ? a : b, (uint64_t)a < (uint64_t)b ? b : a};
	spin_lock(&both[0]->lock);
	spin_lock(&both[1]->lock);
	for (int i = 0; i < 2; i++) {
		struct dentry *d = both[i];
		if (d->flags & DENTRY_HASHED) {
			struct bucket *k = bucket_of(d->parent, d->hash);
			spin_lock(&k->lock);
			bucket_remove(d);
			spin_unlock(&k->lock);
			d->flags &= ~DENTRY_HASHED;
		}
	}
	swap_names(a, b);
	struct dentry *pa_ = a->parent, *pb = b->parent;
	a->parent = pb;
	b->parent = pa_;
	list_del(&a->child_link);
	list_del(&b->child_link);
	list_add_tail(&a->child_link, &pb->children);
	list_add_tail(&b->child_link, &pa_->children);
	for (int i = 0; i < 2; i++) {
		struct dentry *d = i ? b : a;
		if (i ? !hash_b : !hash_a)
			continue;
		struct bucket *k = bucket_of(d->parent, d->hash);
		spin_lock(&k->lock);
		bucket_insert(k, d);
		spin_unlock(&k->lock);
		d->flags |= DENTRY_HASHED;
	}
	spin_unlock(&both[1]->lock);
	spin_unlock(&both[0]->lock);
	spin_unlock(&dcache_tree_lock);
}

void dentry_move(struct dentry *d, struct dentry *target)
{
	dentry_delete(target);
	swap_places(d, target, false);
}

void dentry_exchange(struct dentry *a, struct dentry *b) { swap_places(a, b, b->flags & DENTRY_HASHED); }

/* An unused dentry of the list; dcache_tree_lock held. True: it is dead and off the hash, the caller frees it. */
static bool kill_unused(struct dentry *d)
{
	if (atomic_load(&d->refs.n) != 0)
		return false;
	/* d->lock comes before the bucket lock and after the tree lock in swap_places; nobody waits for the tree lock
	 * with d->lock held */
	spin_lock(&d->lock);
	bool dead = false;
	if (d->flags & DENTRY_HASHED) {
		struct bucket *b = bucket_of(d->parent, d->hash);
		spin_lock(&b->lock);
		dead = atomic_cas(&d->refs.n, 0, SLOW);
		if (dead) {
			bucket_remove(d);
			d->flags &= ~DENTRY_HASHED;
		}
		spin_unlock(&b->lock);
	}
	spin_unlock(&d->lock);
	return dead;
}

/* One pass over at most max entries, oldest first; those looked up lately get a second chance unless force. */
static size_t shrink_pass(struct super_block *sb, size_t max, bool force)
{
	size_t killed = 0;
	struct list_node dead;
	list_init(&dead);
	spin_lock(&dcache_tree_lock);
	struct list_node *n = hashed_list.next;
	for (size_t seen = 0; seen < max && n != &hashed_list; seen++) {
		struct dentry *d = list_entry(n, struct dentry, lru_link);
		n = n->next;
		if (sb && d->sb != sb)
			continue;
		if (!force && d->referenced) {
			d->referenced = false;
			list_move_tail(&d->lru_link, &hashed_list);
			continue;
		}
		if (kill_unused(d)) {
			list_del(&d->lru_link);
			nr_hashed--;
			list_add(&d->lru_link, &dead);
			killed++;
		} else if (!sb) {
			list_move_tail(&d->lru_link, &hashed_list);
		}
	}
	spin_unlock(&dcache_tree_lock);
	while (!list_empty(&dead)) {
		struct dentry *d = list_first(&dead, struct dentry, lru_link);
		list_del(&d->lru_link);
		dentry_put(free_dead(d));
		cond_resched();
	}
	return killed;
}

size_t dcache_shrink(struct super_block *sb, size_t keep)
{
	size_t total = 0;
	/* Each pass frees leaves; their parents become unused for the next. */
	while (READ_ONCE(nr_hashed) > keep) {
		size_t n = shrink_pass(sb, READ_ONCE(nr_hashed), true);
		if (!n)
			break;
		total += n;
	}
	return total;
}
