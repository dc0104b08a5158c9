/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host files through the file hostcalls: what the gofer_*.c files share.
 *
 * A directory inode owns a handle of the host directory (O_PATH). Everything else is addressed as (parent handle,
 * name) or through a handle that is open anyway. The name kept in the inode is changed under gsb->names, which
 * is held for reading while a hostcall uses it, so a rename or unlink inside the sandbox never makes an operation hit
 * the wrong file.
 *
 * Locks, below inode->lock: gi->io_lock (writes) > gi->map_lock (windows) > gsb->names (rwsem) > gi->lock (spinlock:
 * handles, attributes) > gsb->lock (spinlock: inode hash) > the handle and window caches' own spinlocks.
 */
#ifndef FS_GOFER_H
#define FS_GOFER_H

#include "fs/vfs.h"
#include "lib/rbtree.h"

/* A host handle; closed with its last reference. */
struct gofer_handle {
	ref_t refs;
	uint32_t h; /* immutable */
};

#define GOFER_HASH_SIZE 256
#define GOFER_MAX_DEVS  16

struct gofer_sb {
	uint32_t mount;   /* index of the gofer mount; immutable */
	bool shared;      /* others change the files: ask the host each time; immutable */
	bool single_file; /* the mount is one file, not a tree; immutable */
	struct rwsem names;
	spinlock_t lock;
	struct list_node hash[GOFER_HASH_SIZE]; /* gofer_inode by host (dev, ino); lock */
	struct {
		uint64_t host, dev;
	} devs[GOFER_MAX_DEVS]; /* other host file systems inside the mount; lock */
	uint32_t nr_devs;
};

/* Part of a host file mapped into the file-window area. */
struct gofer_chunk {
	struct rb_node node; /* by first; map_lock */
	uint64_t first;      /* page index in the file */
	uint64_t npages;
	pa_t pa;
	bool write;          /* the host maps it writable */
};

struct gofer_inode {
	struct inode *inode;
	struct list_node hash_link;        /* gsb->lock */
	uint64_t host_ino, host_dev;       /* immutable */
	uint64_t dev;                      /* st_dev; immutable */
	struct gofer_handle *self;         /* directories and the root; immutable */
	struct gofer_handle *parent;       /* where name is; gsb->names */
	char *name;                        /* NULL: unlinked, or never looked up by name; gsb->names */
	uint32_t name_len;
	bool synthetic;                    /* a mount point that the host does not have; immutable */

	spinlock_t lock;
	struct gofer_handle *rd, *rw, *wo; /* open handles, kept for the next open; lock */
	bool stale;                        /* attributes changed on the host by our own doing; lock */
	bool no_caps;                      /* it had no file capabilities when ctime was this; lock */
	struct timespec64 no_caps_ctime;
	struct timespec64 read_ctime;      /* ctime when it was last read through a handle; lock */
	char *target;                      /* of a symbolic link, once read; shared mode: while its change time is this; lock */
	struct timespec64 target_ctime;    /* lock */
	struct list_node handle_link;      /* handle cache's lock */

	struct mutex io_lock;              /* appends and size changes */
	struct mutex map_lock;
	struct rb_root chunks;             /* map_lock */
	uint64_t chunk_pages;              /* size of chunks, chosen at the first mapping; map_lock */
	uint32_t nr_chunks;                /* map_lock */
	uint32_t maps;                     /* vmas; map_lock */
	struct gofer_handle *map_rw;       /* while a shared writable vma may exist; map_lock */
	bool map_copy;                     /* the host cannot map it: pages are copies; map_lock */
	struct list_node window_link;      /* window cache's lock */
};

/* An open directory. */
struct gofer_dir {
	struct gofer_handle *handle;
	char *buf;
	uint32_t pos, len;
	uint64_t next;  /* directory position of the record at pos */
	bool eof;
	uint32_t made_up; /* how many mount points that the host does not have were returned, after the host's names */
};

static inline struct gofer_inode *gofer_i(const struct inode *i) { return i->private; }
static inline struct gofer_sb *gofer_s(const struct super_block *sb) { return sb->private; }

extern const struct inode_ops gofer_dir_iops;
extern const struct file_ops gofer_dir_fops, gofer_file_fops;

bool gofer_is_super(const struct super_block *sb);

/* ---- gofer_inode.c ---- */
/* The inode of what the host described; takes over handle (NULL for what is no directory). parent and name say how to
 * reach it. An inode with a reference, or ERR_PTR. */
struct inode *gofer_iget(struct super_block *sb, const struct hc_attr *a, struct gofer_handle *self,
                         struct gofer_handle *parent, const char *name, uint32_t len);
/* Takes new attributes; unmaps what a shrink cut off. May sleep. */
void gofer_set_attr(struct gofer_inode *gi, const struct hc_attr *a);
/* Asks the host for the attributes. -ESTALE: the name means another file now. */
int gofer_refresh(struct inode *inode) MUST_CHECK;
/* Attributes must be asked for before they are used next. */
void gofer_mark_stale(struct inode *inode);
/* gsb->names held for reading until the target was used: an address of the inode for a hostcall; put handle after. */
struct gofer_target {
	struct gofer_handle *handle;
	const char *name;
	uint32_t len;
};
/* What is tried first: a handle that is open anyway; the name (whoever serves files may do with a name what it may not
 * do with our handles); a handle that can write, then the name. */
enum gofer_by { GOFER_BY_HANDLE, GOFER_BY_NAME, GOFER_BY_WRITER };
int gofer_target(struct gofer_inode *gi, struct gofer_target *t, enum gofer_by by) MUST_CHECK;
/* Replaces the name by which the inode is reached; names held for writing. name NULL: none. */
void gofer_set_name(struct gofer_inode *gi, struct gofer_handle *parent, const char *name, uint32_t len);
void gofer_hash_remove(struct gofer_inode *gi);
int gofer_setattr(struct inode *inode, struct iattr *attr);
int gofer_getattr(struct inode *inode, struct kstat *st);
ssize_t_ gofer_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int gofer_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags);
ssize_t_ gofer_listxattr(struct inode *inode, char *list, size_t size);
int gofer_removexattr(struct inode *inode, const char *name);
/* A directory inside the sandbox only, to mount on: dentry is negative, dir->lock held. */
int gofer_make_synthetic(struct inode *dir, struct dentry *dentry, uint32_t mode);

/* ---- gofer_handle.c ---- */
/* Wraps a hostcall's result: a handle, or ERR_PTR (closing the handle when memory is out). */
struct gofer_handle *gofer_handle_new(int64_t h);
static inline struct gofer_handle *gofer_handle_get(struct gofer_handle *h)
{
	ref_get(&h->refs);
	return h;
}
void gofer_handle_put(struct gofer_handle *h); /* NULL is allowed */
/* An open handle of a regular file for the access mode (O_RDONLY, O_WRONLY, O_RDWR), shared where possible. */
struct gofer_handle *gofer_handle_open(struct gofer_inode *gi, uint32_t accmode);
/* A file lets go of a handle it got from gofer_handle_open. */
void gofer_handle_release(struct gofer_inode *gi, struct gofer_handle *h);
/* Remembers a handle that was opened read-write (created files). */
void gofer_handle_adopt(struct gofer_inode *gi, struct gofer_handle *h);
/* Closes cached handles of this inode. */
void gofer_handle_forget(struct gofer_inode *gi);
/* Closes idle handles and drops unused dentries, of all file systems, since those of an overlay hold those below: the
 * host ran out of descriptors. May sleep. */
void gofer_handle_pressure(void);
bool gofer_may_use_reserve(void);
/* A hostcall that may need a descriptor there. -ENFILE: there is none even after closing what is idle. Calls that pass
 * hc_reserve on may get one of those that are kept for processes which the host has started in a full container. */
#define GOFER_FD_CALL(call) \
	({ \
		__attribute__((unused)) bool hc_reserve = false; \
		int64_t r_ = (call); \
		if (unlikely(r_ == -EMFILE || r_ == -ENFILE)) { \
			gofer_handle_pressure(); \
			hc_reserve = gofer_may_use_reserve(); \
			r_ = (call); \
		} \
		r_ == -EMFILE ? -ENFILE : r_; \
	})

/* ---- gofer_rw.c ---- */
/* Moves up to it->count bytes between the handle at off and the iterator. write: off ~0 appends. Bytes or -errno. */
ssize_t_ gofer_transfer(struct gofer_handle *h, struct iter *it, uint64_t off, bool write);

/* ---- gofer_mmap.c ---- */
int gofer_mmap(struct file *file, struct vma *vma);
/* Bytes of the file from a window that exists; false: there is none for all of them, or the file ended. */
bool gofer_mmap_peek(struct gofer_inode *gi, void *buf, size_t n, uint64_t off);
/* Writes changed copies back where the host could not map the file. */
int gofer_mmap_sync(struct gofer_inode *gi);
/* The inode goes away: unmap every window. */
void gofer_mmap_evict(struct gofer_inode *gi);

#endif
