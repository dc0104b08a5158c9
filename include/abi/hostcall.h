/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostcalls: the only way out of the Sentry. One list yields the numbers, the VMM's dispatch table, names for
 * tracing and docs/hostcalls.md.
 *
 * Convention: int64_t hostcall(nr, a0..a5), result >= 0 or -errno. Every pointer is a window address in the direct
 * map of RAM (never a file window, never the image); the VMM checks the whole range before use and copies control
 * structures and names once. A name is one path component without '/', at most 255 bytes, not NUL-terminated;
 * "." is passed as length 0 and means the handle itself. Handles are small non-negative integers.
 */
#ifndef ABI_HOSTCALL_H
#define ABI_HOSTCALL_H

#include <stdint.h>

/* H(number, NAME, family, "arguments", "what it does") */
#define HOSTCALLS(H) \
	H( 0, IDLE,        machine, "deadline_ns",           "block until CLOCK_MONOTONIC deadline (~0: none) or a kick") \
	H( 1, KICK,        machine, "cpu",                   "make the vCPU leave ring 3 or IDLE") \
	H( 2, TIMER,       machine, "deadline_ns",           "kick the calling vCPU at the deadline (~0: disarm)") \
	H( 3, YIELD,       machine, "",                      "give the host CPU to another thread (a lock holder was preempted)") \
	H( 4, EXIT,        machine, "status, reason, len",   "end the sandbox with the container's wait status (as in wait(2)); reason: why it could not be started, len 0 if it was") \
	H( 5, PANIC,       machine, "msg, len",              "the Sentry is broken: log, dump, end the sandbox") \
	H( 6, LOG,         machine, "level, msg, len",       "one line for the debug log; level as syslog(2)") \
	H( 7, CLOCK,       machine, "clockid",               "read CLOCK_REALTIME, MONOTONIC or BOOTTIME in ns") \
	H( 8, ENTROPY,     machine, "buf, len",              "fill from getrandom(2), at most 256 bytes") \
	H( 9, VCPU_START,  machine, "cpu",                   "start the host thread of a vCPU; 0 also if it runs already") \
	H(10, RAM_GROW,    machine, "bytes",                 "add RAM at the end, multiple of RAM_CHUNK_SIZE; result: new end; ENOMEM at the limit") \
	H(11, RAM_POPULATE,machine, "pa, len",               "back a range with host pages") \
	H(12, RAM_RECLAIM, machine, "pa, len",               "give host pages back; the range reads as zeros afterwards") \
	H(13, STACK_GUARD, machine, "pa, on",                "host placement: make one RAM page inaccessible in the direct map, or accessible again") \
	H(14, CREATED,     machine, "running",               "the container is set up, and held until a \"start\" message, or, if running, about to run (told in guest placement only): tell whoever creates it") \
	H(15, OOM_EVENT,   machine, "",                      "a process of the container is killed for want of memory: make the host's cgroup show it") \
	H(16, FS_ROOT,     file,    "mount, attr*",          "handle and attributes of the root of a gofer mount") \
	H(17, FS_WALK,     file,    "dir, name*, len, attr*, reserve","look a name up; result: a new handle for a directory, else HC_NO_HANDLE") \
	H(18, FS_STAT,     file,    "handle, name*, len, attr*", "attributes of a name in a directory, or of the handle") \
	H(19, FS_OPEN,     file,    "dir, name*, len, flags, reserve, attr*","open an existing file or directory; result: handle. Regular files, directories only unless the mount allows more") \
	H(20, FS_CREATE,   file,    "dir, hc_create*, attr*","create and open a regular file (O_EXCL); result: handle") \
	H(21, FS_MKDIR,    file,    "dir, hc_create*, attr*","make a directory") \
	H(22, FS_MKNOD,    file,    "dir, hc_create*, attr*","make a FIFO, socket, device (if permitted) or regular file") \
	H(23, FS_SYMLINK,  file,    "dir, hc_create*, target*, len, attr*", "make a symbolic link") \
	H(24, FS_LINK,     file,    "hc_link*",              "make a hard link") \
	H(25, FS_UNLINK,   file,    "dir, name*, len, flags","remove a name; flags: AT_REMOVEDIR") \
	H(26, FS_RENAME,   file,    "hc_link*",              "rename; flags as renameat2(2)") \
	H(27, FS_READLINK, file,    "dir, name*, len, buf*, len", "target of a symbolic link") \
	H(28, FS_SETATTR,  file,    "handle, name*, len, hc_setattr*", "chmod, chown, truncate, utimes; by name, or of an open handle") \
	H(29, FS_READDIR,  file,    "handle, buf*, len, cookie", "linux_dirent64 records from a directory opened by FS_OPEN; cookie 0 rewinds, ~0 continues, else seeks to d_off") \
	H(30, FS_XATTR,    file,    "handle, name*, len, hc_xattr*", "get, set, list, remove an extended attribute") \
	H(31, FS_STATFS,   file,    "handle, hc_statfs*",    "statfs(2)") \
	H(32, FS_PREADV,   file,    "handle, hc_iov*, n, offset", "read into RAM ranges") \
	H(33, FS_PWRITEV,  file,    "handle, hc_iov*, n, offset", "write from RAM ranges; offset ~0 appends") \
	H(34, FS_FALLOCATE,file,    "handle, mode, offset, len", "fallocate(2)") \
	H(35, FS_FSYNC,    file,    "handle, datasync, token","fsync(2); token 0: now, else by a worker, EV_DONE tells") \
	H(36, FS_LSEEK,    file,    "handle, offset, whence","SEEK_DATA, SEEK_HOLE, SEEK_END") \
	H(37, FS_CLOSE,    file,    "handle",                "forget a handle") \
	H(38, FS_MAP,      file,    "handle, offset, len, pa, write", "map file pages at a file-window pa (page-aligned)") \
	H(39, FS_UNMAP,    file,    "pa, len",               "empty part of a file window (reads fault afterwards)") \
	H(40, FS_ACCESS_SEQ, file,  "mount",                 "counter of changes seen from outside, for --file-access=shared; 0 if not watched") \
	H(41, FS_COPY_RANGE, file,  "in, in_off, out, out_off, len", "copy_file_range(2) between two open handles") \
	H(42, FS_UNMOUNT,  file,    "mount",                 "the gofer mount is not used any more; its handles stay valid") \
	H(43, WATCH,       machine, "",                      "look at preempt_at of the vCPUs, which is earlier than watch_at says (boot.h)") \
	H(44, IO_STAT,     stdio,   "io, attr*",             "what an inherited descriptor is") \
	H(45, IO_READ,     stdio,   "io, hc_iov*, n",        "non-blocking read; EAGAIN") \
	H(46, IO_WRITE,    stdio,   "io, hc_iov*, n",        "non-blocking write; EAGAIN") \
	H(47, IO_WATCH,    stdio,   "io, events",            "tell once (EV_IO) when any of the EPOLL* events is ready") \
	H(48, IO_POLL,     stdio,   "io",                    "events ready now") \
	H(49, IO_TTY,      stdio,   "io, op, buf*",          "TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ, TIOCSWINSZ on a terminal") \
	H(50, IO_SEEK,     stdio,   "io, offset, whence",    "lseek(2) on an inherited regular file") \
	H(51, IO_CLOSE,    stdio,   "io",                    "the container closed its last reference") \
	H(52, CTL_NEXT,    control, "buf*, len",             "next control message (an FDT, see control.h); result: its length, 0 if none") \
	H(53, CTL_REPLY,   control, "id, buf*, len, more",   "answer a control message; more: the request stays open for another answer") \
	H(56, AS_CREATE,   as,      "cr3",                   "a new address space exists") \
	H(57, AS_DESTROY,  as,      "cr3",                   "it is gone; no vCPU runs it. Result 1: its page-table pages must not become such again before AS_PURGE") \
	H(58, AS_MAP,      as,      "cr3, hc_map*, n",       "entries that were absent or less permissive are now present: a hint to mirrors") \
	H(59, AS_FLUSH,    as,      "cr3, hc_flush*",        "entries that were present changed; returns when no vCPU can use the old ones") \
	H(60, AS_PURGE,    as,      "",                      "forget all that was remembered of page tables, those of destroyed address spaces above all") \
	H(64, NET_SOCKET,  network, "family, type, protocol","a non-blocking host socket (--network=host only, as all of this family); result: its number") \
	H(65, NET_BIND,    network, "sock, addr*, len",      "bind(2)") \
	H(66, NET_CONNECT, network, "sock, addr*, len",      "connect(2); EINPROGRESS") \
	H(67, NET_LISTEN,  network, "sock, backlog",         "listen(2)") \
	H(68, NET_ACCEPT,  network, "sock, hc_sockaddr*",    "accept(2); result: the new socket's number; EAGAIN") \
	H(69, NET_SENDMSG, network, "sock, hc_msg*",         "sendmsg(2); EAGAIN") \
	H(70, NET_RECVMSG, network, "sock, hc_msg*",         "recvmsg(2); EAGAIN") \
	H(71, NET_GETSOCKOPT, network, "sock, level, name, val*, len", "an option of the list in vmm/net_options.c; result: its length") \
	H(72, NET_SETSOCKOPT, network, "sock, level, name, val*, len", "an option of that list") \
	H(73, NET_GETNAME, network, "sock, peer, hc_sockaddr*", "getsockname(2), getpeername(2)") \
	H(74, NET_SHUTDOWN, network, "sock, how",            "shutdown(2)") \
	H(75, NET_IOCTL,   network, "sock, request, buf*, len", "SIOCGIF*, FIONREAD, SIOCOUTQ, SIOCATMARK; result: bytes of buf that count") \
	H(76, NET_WATCH,   network, "sock",                  "from now on each change of readiness is told (EV_NET)") \
	H(77, NET_POLL,    network, "sock",                  "EPOLL* events that hold now") \
	H(78, NET_CLOSE,   network, "sock",                  "close(2)") \
	H(79, NET_EVENTS,  network, "",                      "tell now (EV_NET) what changed, instead of a little later")

enum {
#define HC_NUMBER(nr, name, family, args, doc) HC_##name = nr,
	HOSTCALLS(HC_NUMBER)
#undef HC_NUMBER
	HC_MAX = 96,
};

#define HC_NO_HANDLE 0x7fffffff

/* File attributes; the fields of statx(2). */
struct hc_attr {
	uint64_t ino, dev; /* as the host numbers them */
	uint64_t size, blocks;
	uint32_t mode, nlink, uid, gid;
	uint32_t rdev_major, rdev_minor;
	uint32_t blksize, mount_flags;
	int64_t atime_sec, mtime_sec, ctime_sec, btime_sec;
	uint32_t atime_nsec, mtime_nsec, ctime_nsec, btime_nsec;
};

#define HC_NAME_MAX 255

struct hc_create {
	uint32_t mode, uid, gid, flags; /* flags: O_RDONLY.. O_APPEND for FS_CREATE */
	uint32_t rdev_major, rdev_minor;
	uint32_t name_len, _pad;
	char name[HC_NAME_MAX + 1];
};

struct hc_link {
	uint32_t old_dir, new_dir; /* handles */
	uint32_t flags;
	uint16_t old_len, new_len;
	char old_name[HC_NAME_MAX + 1];
	char new_name[HC_NAME_MAX + 1];
};

/* Which fields of hc_setattr apply. */
#define HC_SET_MODE  1u
#define HC_SET_UID   2u
#define HC_SET_GID   4u
#define HC_SET_SIZE  8u
#define HC_SET_ATIME 16u
#define HC_SET_MTIME 32u
#define HC_SET_ATIME_NOW 64u
#define HC_SET_MTIME_NOW 128u

struct hc_setattr {
	uint32_t valid, mode, uid, gid;
	uint64_t size;
	int64_t atime_sec, mtime_sec;
	uint32_t atime_nsec, mtime_nsec;
};

enum { HC_XATTR_GET, HC_XATTR_SET, HC_XATTR_LIST, HC_XATTR_REMOVE };

struct hc_xattr {
	uint32_t op, flags; /* flags: XATTR_CREATE, XATTR_REPLACE */
	uint32_t name_len, size;
	uint64_t value; /* window address of a buffer of size bytes */
	char name[HC_NAME_MAX + 1];
};

struct hc_statfs {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
};

struct hc_iov {
	uint64_t addr, len; /* a range of the direct map: RAM or (for writes to a host file) file windows */
};

#define HC_IOV_MAX 64

#define HC_SOCKADDR_MAX 128

struct hc_sockaddr {
	uint32_t len;
	uint8_t data[HC_SOCKADDR_MAX];
};

#define HC_CONTROL_MAX 20480 /* bytes of control data in one message */

/* A message of a host socket. */
struct hc_msg {
	uint32_t flags;       /* MSG_* of the call; of a receive afterwards: those that came back */
	uint32_t niov;        /* at most HC_IOV_MAX */
	uint64_t iov;         /* window address of struct hc_iov[niov] */
	uint64_t control;     /* window address of control data as in cmsg(3) */
	uint32_t control_len; /* bytes of it, or room for it; of a receive afterwards: bytes that came */
	struct hc_sockaddr name; /* len 0: none given, none wanted */
};

/* Protection bits of hc_map, the values of mmap(2). */
#define HC_PROT_READ  1u
#define HC_PROT_WRITE 2u
#define HC_PROT_EXEC  4u

/* npages adjacent user pages from uva, backed by adjacent frames from pa (RAM or a file window). */
struct hc_map {
	uint64_t uva, pa;
	uint32_t npages, prot;
};

#define HC_FLUSH_RANGES 16
#define HC_FLUSH_PTPAGES 64

/* What changed in an address space. When more changed than fits, all != 0: flush everything. The caller keeps the
 * page-table pages and the frames until the call returns. */
struct hc_flush {
	uint32_t all, nranges, nptpages;
	uint32_t freed; /* page-table pages among them that are about to be freed */
	struct {
		uint64_t start, end; /* user addresses */
	} range[HC_FLUSH_RANGES];
	uint64_t ptpage[HC_FLUSH_PTPAGES]; /* guest-physical addresses of page-table pages with edited entries */
};

#endif
