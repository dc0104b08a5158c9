/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Application address spaces: vmas, page tables, faults, and copies between kernel and application.
 *
 * Locks: mm->lock (rwsem) protects the vma tree and everything about vmas; faults take it for reading. mm->pt_lock
 * (spinlock) protects page tables and the frames reached through them: a software walk that touches a frame holds
 * it, and a frame is freed only after its entry was cleared under it and every vCPU flushed (struct mmu_gather).
 * mapping->lock (spinlock) protects a mapping's pages and its list of vmas; order mm->lock > mapping->lock > pt_lock.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include <linux/mman.h>

#include "lib/list.h"
#include "lib/rbtree.h"
#include "mm/page.h"
#include "task/lock.h"

struct file;
struct vma;
struct mapping;

/* Lowest and highest user addresses (mmap_min_addr; the window in between is refused with ENOMEM or EINVAL). */
#define USER_MIN 0x10000UL
#define USER_MAX 0x7ffffffff000UL

/* A frame that backs a page of an object. */
struct vm_frame {
	pa_t pa;
	struct page *page;  /* with a reference, or NULL for a file window */
	uint32_t npages;    /* adjacent pages from here that may be mapped too (file windows: they stay valid while the
	                       vma exists); at least 1 */
	uint32_t before;    /* adjacent pages before it that may be mapped too; 0 unless the object says so */
	bool writable;      /* a shared mapping may write to it */
};

struct inode;
struct vm_ops {
	/* The frame for page pgoff (of the object). May sleep; mm->lock held for reading. write: the access writes to a
	 * shared mapping. 0, or -EFAULT (SIGBUS: beyond the end), -ENOMEM, -EIO. */
	int (*fault)(struct vma *vma, uint64_t pgoff, bool write, struct vm_frame *out);
	void (*open)(struct vma *vma);  /* a vma was copied: fork, split (both parts have their final ranges) */
	void (*close)(struct vma *vma); /* a vma goes away; no locks held, no entry maps its range any more. A vma whose
	                                   ops have close is never merged */
	const char *(*name)(struct vma *vma); /* for /proc/PID/maps, when there is no file */
	/* A frame could not be read although an entry names it: asks the host how long the object is now and unmaps what
	 * lies beyond. True if that was anything. May sleep; no locks held. */
	bool (*recheck)(struct inode *host);
};

struct vma {
	struct rb_node node;
	uint64_t start, end;      /* page-aligned user addresses */
	uint32_t prot;            /* PROT_* */
	uint32_t flags;           /* VMA_* */
	uint64_t pgoff;           /* page offset in file, or of anonymous memory for merging and futex keys */
	struct mm *mm;
	struct file *file;        /* a reference, or NULL */
	struct mapping *mapping;  /* of the file's inode or of shared anonymous memory; NULL for private anonymous */
	struct list_node mapping_link; /* mapping->lock */
	bool writer;              /* counted in mapping->writable_maps; mapping->lock */
	const struct vm_ops *ops; /* NULL: anonymous */
	void *private;
	struct vma_label *label;  /* PR_SET_VMA_ANON_NAME; a reference, or NULL */
	/* Hints for fault-around, read and written racily: where the next sequential fault would be, pages to map then. */
	uint64_t fault_next;
	uint32_t fault_window;
};

#define VMA_SHARED    1u
#define VMA_GROWSDOWN 2u
#define VMA_LOCKED    4u
#define VMA_NORESERVE 8u
#define VMA_DONTFORK  16u
#define VMA_WIPEONFORK 32u
#define VMA_DONTDUMP  64u
#define VMA_STACK     128u
#define VMA_HEAP      256u
#define VMA_SPECIAL   512u /* vdso, vvar: no merge, no mremap growth */
#define VMA_MAYWRITE  1024u /* a shared file mapping whose file is open for writing */
#define VMA_MAYREAD   2048u
#define VMA_MAYEXEC   4096u
#define VMA_LOCKONFAULT 8192u
/* MAYREAD, MAYWRITE, MAYEXEC: what mprotect(2) may grant. Private mappings may always become writable. */

struct mm {
	ref_t users;              /* who keeps the address space itself: tasks, /proc readers */
	ref_t count;              /* users together hold one; who only needs the structure (mapping_unmap) holds another */
	struct rwsem lock;
	struct rb_root vmas;      /* mm->lock */
	uint32_t nr_vmas;
	spinlock_t pt_lock;
	pa_t pml4;                /* immutable */
	uint64_t brk_start, brk, mmap_top, start_code, end_code, start_data, end_data, start_stack, arg_start, arg_end,
	    env_start, env_end;   /* mm->lock */
	uint64_t vdso_base;
	uint64_t total_vm, locked_vm, data_vm, stack_vm, exec_vm; /* pages; mm->lock */
	int64_t rss_anon, rss_file, rss_shmem, peak_rss; /* pages; pt_lock */
	uint64_t auxv[64];        /* for /proc/PID/auxv; mm->lock */
	uint32_t nr_auxv;
	uint32_t def_flags;       /* mlockall(MCL_FUTURE) */
	bool dumpable;
	struct file *exe_file;    /* /proc/PID/exe; a reference and an inode_deny_write (ETXTBSY), both given up with the mm */
	uint64_t membarrier_state;
	uint32_t kept_tables;     /* leaf tables that are empty and kept; pt_lock */
	uint64_t pt_gen;          /* counts edits of present entries; pt_lock */
	struct rwsem as_lock;     /* AS_MAP hints for reading, AS_FLUSH and AS_DESTROY for writing; innermost sleeping lock */
	bool dead;                /* AS_DESTROY was called; as_lock */
	/* Address search: no hole above free_cache is larger than free_hole. mm->lock */
	uint64_t free_cache, free_hole;
};

void mm_init(void);
/* An empty address space with one user, or NULL. */
struct mm *mm_create(void);
void mm_get(struct mm *mm);
void mm_put(struct mm *mm); /* may sleep */
/* Holds the structure but not what is mapped (an open /proc/PID/mem); a user again while there still is one. */
void mm_hold(struct mm *mm);
void mm_release(struct mm *mm);
bool mm_get_live(struct mm *mm) MUST_CHECK;
/* Copy for fork: copy-on-write. NULL when out of memory. */
struct mm *mm_fork(struct mm *parent);

/* mmap(2) semantics, pgoff in pages. Takes mm->lock itself. Returns the address or -errno. Always clamps to USER_MIN
 * .. USER_MAX and keeps out of the window. */
int64_t mm_mmap(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot, uint32_t flags, struct file *file,
                uint64_t pgoff);
int mm_munmap(struct mm *mm, uint64_t addr, uint64_t len);
/* shmdt(2): unmaps what a mapping with these ops, made at addr, still has of its object. -EINVAL: there is none. */
int mm_munmap_object(struct mm *mm, uint64_t addr, const struct vm_ops *ops);
int mm_mprotect(struct mm *mm, uint64_t addr, uint64_t len, uint32_t prot);
/* Maps pages that the kernel supplies (vdso): shared, never merged. pages[i] get a reference each. */
int64_t mm_map_special(struct mm *mm, uint64_t addr, struct page **pages, int npages, uint32_t prot, const char *name);
/* For mmap of file systems: turns a shared vma without file pages (/dev/zero) into shared anonymous memory. */
int vma_make_shared_anon(struct vma *v) MUST_CHECK;
/* PR_SET_VMA_ANON_NAME: name NULL clears. 0 or -errno as prctl(2). */
int mm_set_anon_name(struct mm *mm, uint64_t start, uint64_t len, const char *name) MUST_CHECK;
/* Finds the first vma with end > addr; caller holds mm->lock. */
struct vma *vma_find(struct mm *mm, uint64_t addr);
struct vma *vma_next(struct vma *v);
/* Name as /proc/PID/maps shows it ("[heap]", "[stack]", ...), or NULL. */
const char *vma_name(struct vma *v);
/* Counts for smaps of one vma, in pages; caller holds mm->lock. */
struct vma_stats {
	uint64_t rss, anon, shared_clean, shared_dirty, private_clean, private_dirty;
};
void vma_stats(struct vma *v, struct vma_stats *s);

/* The current task took a page fault in ring 3: resolves it or sends the signal. */
void mm_handle_fault(uint64_t addr, uint64_t error_code);
/* TRAP_WINDOW_EFAULT: re-reads the sizes of mapped host files, drops what lies beyond their ends, sends SIGBUS if
 * nothing has changed and the instruction fails again. */
void mm_handle_window_efault(void);
/* Makes the page at addr present for the access; may sleep. 0 or -EFAULT. */
int mm_fault_in(struct mm *mm, uint64_t addr, bool write) MUST_CHECK;

/* ---- copies; the current task's mm. 0 or -EFAULT. May sleep: hold no spinlock. ---- */
int copy_in(void *dst, uva_t src, size_t n) MUST_CHECK;
int copy_out(uva_t dst, const void *src, size_t n) MUST_CHECK;
/* Like above but return how many bytes were copied before the fault. */
size_t copy_in_partial(void *dst, uva_t src, size_t n);
size_t copy_out_partial(uva_t dst, const void *src, size_t n);
int clear_user(uva_t dst, size_t n) MUST_CHECK;
/* NUL-terminated string of at most size bytes with its NUL: its length, -EFAULT, or -ENAMETOOLONG. */
ssize_t_ copy_in_string(char *dst, uva_t src, size_t size) MUST_CHECK;
#define copy_in_struct(ptr, src) copy_in((ptr), (src), sizeof(*(ptr)))
#define copy_out_struct(dst, ptr) copy_out((dst), (ptr), sizeof(*(ptr)))
/* Of another process (process_vm_readv, /proc/PID/mem, cmdline). Return bytes copied or -EFAULT. */
ssize_t_ mm_copy_in(struct mm *mm, void *dst, uint64_t src, size_t n, bool force);
ssize_t_ mm_copy_out(struct mm *mm, uint64_t dst, const void *src, size_t n, bool force);
/* Atomic 32-bit access to user memory (futex, rseq, clear_child_tid): 0, -EFAULT; faults pages in. */
int user_cmpxchg32(uva_t p, uint32_t expect, uint32_t desired, uint32_t *old) MUST_CHECK;
int user_load32(uva_t p, uint32_t *out) MUST_CHECK;
/* The same, without faulting in (spinlock held): -EFAULT means drop locks, mm_fault_in, retry. */
int user_load32_nofault(uva_t p, uint32_t *out) MUST_CHECK;
int user_cmpxchg32_nofault(uva_t p, uint32_t expect, uint32_t desired, uint32_t *old) MUST_CHECK;

/* Identity of a futex word: (mm, address) for private, (object, offset) for shared. The object stays alive while a
 * waiter sleeps only if the caller keeps its vma's file; comparison needs identity, not life. */
#define FUTEX_KEY_MM_SHARED 1u /* in offset, whose low bits are free: futexes are aligned */
struct futex_key {
	uint64_t object, offset;
};
int mm_futex_key(uva_t p, bool shared, bool write, struct futex_key *key) MUST_CHECK;

/* Direct-map ranges for host I/O. */
struct pin_set {
	struct hc_iov iov[HC_IOV_MAX];
	uint32_t n;
	bool write, kernel; /* mm_pin_append: frames will be written; mm_pin_kernel: no references are held */
};
/* Adds user memory to a set that has n and write set (iter_pin). Faults in, takes a reference on each frame. Adds ranges while
 * there is room (adjacent frames are joined) and returns the number of bytes covered, or -EFAULT. write: memory will be
 * written. Frames of a file window are never pinned: -EAGAIN means bounce. */
ssize_t_ mm_pin_append(uva_t addr, size_t len, bool write, struct pin_set *out) MUST_CHECK;
/* A kernel buffer as a pin set; -EAGAIN if it is not in the direct map. Takes no references: see mm_unpin. */
ssize_t_ mm_pin_kernel(void *buf, size_t len, struct pin_set *out) MUST_CHECK;
void mm_unpin(struct pin_set *p, bool dirtied);

/* ---- objects that can be mapped: page cache of tmpfs, shm, memfd; windows of host files ---- */
struct mapping {
	spinlock_t lock;
	struct list_node vmas;    /* struct vma via mapping_link */
	void *pages;              /* radix tree of struct page * (mm/mapping.c) */
	uint64_t nr_pages;
	uint32_t writable_maps;   /* shared vmas that may write or are being made, for seals; lock */
	uint64_t seq;             /* counts mapping_unmap: a fault that looked a frame up before one starts over; lock */
	struct inode *host;       /* or NULL */
};
void mapping_init(struct mapping *m, struct inode *host);
void mapping_destroy(struct mapping *m); /* frees the pages; no vmas left */
/* For mmap of file systems: counts v, a shared vma being made, among those that may write, until it is freed. The lock of
 * v->mapping held, under which the file system has seen that it may. */
void mapping_count_writer(struct vma *v);
/* The page at index with a reference; allocates a zero page when create. NULL: absent or out of memory. */
struct page *mapping_page(struct mapping *m, uint64_t index, bool create);
/* fallocate(2): sees that there is a page at index. One that was not there counts as untouched until somebody asks for it
 * (mapping_page, a fault). 0 or -ENOMEM. */
int mapping_reserve(struct mapping *m, uint64_t index) MUST_CHECK;
/* Frees the pages of [first, last] that are untouched still. */
void mapping_unreserve(struct mapping *m, uint64_t first, uint64_t last);
/* Frees pages [first, last] and unmaps them everywhere; a partial page at a new end is the caller's to clear. */
void mapping_truncate(struct mapping *m, uint64_t first, uint64_t last);
/* Removes page-table entries of [first, last] in every vma, including private copies if even_cows. Make the object
 * refuse new faults first. Afterwards no vCPU can use the frames. May sleep; takes no mm->lock. True if there were any. */
bool mapping_unmap(struct mapping *m, uint64_t first, uint64_t last, bool even_cows);
/* Next index >= from that has a page (SEEK_DATA), or UINT64_MAX. */
uint64_t mapping_next(struct mapping *m, uint64_t from);
/* vm_ops for objects whose pages live in a mapping (tmpfs, shm); size comes from host->size. */
extern const struct vm_ops mapping_vm_ops;

/* ---- host file windows (mm/filewin.c) ---- */
/* Reserves npages adjacent pages of window space; pa or 0. */
pa_t filewin_alloc(uint64_t npages);
void filewin_free(pa_t p, uint64_t npages); /* after HC_FS_UNMAP and when no entry maps it */

/* OOM: picks and kills the largest process. Called by the allocator without locks. */
void oom_kill(void);

#endif
