/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File operations of the gofer, each case on every way that they can take: openat2 and fchmodat2, the fallbacks for hosts
 * without them, over the socket as with --directfs=false, and as with directfs, where the rare ones are done by the gofer
 * on descriptors that are lent to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/gofer/gofer.h"

enum way { LOCAL, FALLBACK, REMOTE, LENT };

static struct {
	enum way way;
	char path[64];
	int dir;
	int sock;
	pid_t gofer;
} t;

/* An object: a descriptor here or a handle there. */
struct object {
	int fd;
	uint32_t remote;
};

static int64_t call(struct fs_request *req, struct object a, struct object b, struct fs_reply *reply, struct object *out)
{
	struct object none = {-1, PROTO_NO_HANDLE};
	int64_t r;

	if (!out)
		out = &none;
	*out = none;
	if (a.fd >= 0 && !(t.way == LENT && fsops_rare(req)))
		r = fsops_call(req, a.fd, b.fd, reply);
	else
		r = gofer_call(t.sock, req, (struct gofer_object){a.fd, a.remote}, (struct gofer_object){b.fd, b.remote}, reply,
		               &out->remote);
	out->fd = reply->fd;
	return r;
}

static struct object root(void)
{
	return t.way == REMOTE ? (struct object){-1, 0} : (struct object){t.dir, PROTO_NO_HANDLE};
}

static int64_t op(uint32_t nr, struct object o, const char *name, uint32_t flags, uint32_t mode, struct fs_reply *reply, struct object *out)
{
	struct fs_request req = {.op = nr, .flags = flags, .mode = mode};

	strcpy(req.name, name);
	return call(&req, o, (struct object){-1, PROTO_NO_HANDLE}, reply, out);
}

static int setup(enum way way)
{
	int sockets[2];

	t.way = way;
	strcpy(t.path, "/tmp/fsops-XXXXXX");
	if (!mkdtemp(t.path))
		return -1;
	t.dir = open(t.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	umask(0);
	fsops_init();
	fsops_force_fallback(way == FALLBACK, way == FALLBACK);
	if (way != REMOTE && way != LENT)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets))
		return -1;
	t.sock = sockets[1];
	t.gofer = fork();
	if (t.gofer == 0) {
		struct gofer_mount m[2] = {{.fd = t.dir}, {.fd = dup(t.dir), .readonly = true}};

		close(sockets[1]);
		loans_accept(t.dir, false);
		gofer_serve(sockets[0], m, way == REMOTE ? 2 : 0);
		_exit(0);
	}
	close(sockets[0]);
	return 0;
}

static int setup_local(void **state)
{
	return setup(LOCAL);
}

static int setup_fallback(void **state)
{
	return setup(FALLBACK);
}

static int setup_remote(void **state)
{
	return setup(REMOTE);
}

static int setup_lent(void **state)
{
	return setup(LENT);
}

static int teardown(void **state)
{
	char cmd[128];

	close(t.dir);
	if (t.way == REMOTE || t.way == LENT) {
		int w;

		close(t.sock);
		waitpid(t.gofer, &w, 0);
		assert_int_equal(w, 0); /* it ends by itself when the sandbox is gone */
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", t.path);
	return system(cmd);
}

static void test_names(void **state)
{
	assert_true(fsops_name_ok("a", 1));
	assert_true(fsops_name_ok("...", 3));
	assert_true(fsops_name_ok("", 0));
	assert_false(fsops_name_ok(".", 1));
	assert_false(fsops_name_ok("..", 2));
	assert_false(fsops_name_ok("a/b", 3));
	assert_false(fsops_name_ok("/", 1));
	assert_false(fsops_name_ok("a\0b", 3));
}

static void test_files(void **state)
{
	struct fs_reply r = {0};
	struct object f, d;
	struct fs_request set = {.op = HC_FS_SETATTR, .name = "f", .set = {.valid = HC_SET_MODE | HC_SET_SIZE | HC_SET_MTIME,
	                         .mode = 04711, .size = 5, .mtime_sec = -7, .mtime_nsec = 9}};

	assert_int_equal(op(HC_FS_CREATE, root(), "f", O_RDWR | O_APPEND, 0640, &r, &f), 0);
	assert_int_equal(r.attr.mode, S_IFREG | 0640);
	assert_true(f.fd >= 0);
	assert_int_equal(fcntl(f.fd, F_GETFL) & O_APPEND, 0);
	assert_int_equal(write(f.fd, "0123456789", 10), 10);
	close(f.fd);
	assert_int_equal(op(HC_FS_CREATE, root(), "f", O_RDWR, 0640, &r, NULL), -EEXIST);
	assert_int_equal(call(&set, root(), (struct object){-1, PROTO_NO_HANDLE}, &r, NULL), 0);
	assert_int_equal(op(HC_FS_STAT, root(), "f", 0, 0, &r, NULL), 0);
	assert_int_equal(r.attr.mode, S_IFREG | 04711);
	assert_int_equal(r.attr.size, 5);
	assert_int_equal(r.attr.mtime_sec, -7);
	assert_int_equal(r.attr.mtime_nsec, 9);
	assert_int_equal(op(HC_FS_WALK, root(), "f", 0, 0, &r, &d), 0);
	assert_true(d.fd < 0 && d.remote == PROTO_NO_HANDLE);
	assert_int_equal(op(HC_FS_OPEN, root(), "f", O_RDONLY, 0, &r, &f), 0);
	assert_true(f.fd >= 0);
	close(f.fd);
	assert_int_equal(op(HC_FS_OPEN, root(), "nope", O_RDONLY, 0, &r, NULL), -ENOENT);
	assert_int_equal(op(HC_FS_UNLINK, root(), "f", 0, 0, &r, NULL), 0);
	assert_int_equal(op(HC_FS_STAT, root(), "f", 0, 0, &r, NULL), -ENOENT);
}

static void test_directories(void **state)
{
	char buf[4096];
	struct fs_reply r = {.data = buf, .data_size = sizeof(buf)};
	struct object d, open_dir;
	int64_t n;

	assert_int_equal(op(HC_FS_MKDIR, root(), "d", 0, 01777, &r, NULL), 0);
	assert_int_equal(r.attr.mode, S_IFDIR | 01777);
	assert_int_equal(op(HC_FS_WALK, root(), "d", 0, 0, &r, &d), 0);
	assert_true(d.fd >= 0 || d.remote != PROTO_NO_HANDLE);
	assert_int_equal(op(HC_FS_MKDIR, d, "e", 0, 02755, &r, NULL), 0);
	assert_int_equal(r.attr.mode, S_IFDIR | 02755);
	assert_int_equal(op(HC_FS_UNLINK, root(), "d", AT_REMOVEDIR, 0, &r, NULL), -ENOTEMPTY);
	assert_int_equal(op(HC_FS_OPEN, d, "", O_RDONLY | O_DIRECTORY, 0, &r, &open_dir), 0);
	n = op(HC_FS_READDIR, open_dir, "", 0, 0, &r, NULL);
	assert_true(n >= 3 * 24);
	{
		struct fs_request set = {.op = HC_FS_SETATTR, .set = {.valid = HC_SET_MODE | HC_SET_ATIME_NOW, .mode = 0700}};

		assert_int_equal(call(&set, d, (struct object){-1, PROTO_NO_HANDLE}, &r, NULL), 0);
	}
	assert_int_equal(op(HC_FS_STAT, d, "", 0, 0, &r, NULL), 0);
	assert_int_equal(r.attr.mode, S_IFDIR | 0700);
	assert_int_equal(op(HC_FS_STATFS, d, "", 0, 0, &r, NULL), 0);
	assert_true(r.statfs.bsize > 0);
	if (t.way == REMOTE) {
		gofer_forget(t.sock, d.remote);
		assert_int_equal(op(HC_FS_STAT, d, "", 0, 0, &r, NULL), -EBADF);
	}
}

static void test_links(void **state)
{
	char buf[100];
	struct fs_reply r = {.data = buf, .data_size = sizeof(buf)};
	struct fs_request req = {.op = HC_FS_SYMLINK, .name = "s", .data = "/etc/passwd", .data_len = 11};
	struct object no = {-1, PROTO_NO_HANDLE};

	assert_int_equal(call(&req, root(), no, &r, NULL), 0);
	assert_true(S_ISLNK(r.attr.mode));
	assert_int_equal(op(HC_FS_READLINK, root(), "s", 0, 0, &r, NULL), 11);
	assert_memory_equal(buf, "/etc/passwd", 11);
	/* Never followed: neither by opening nor by walking nor by chmod. */
	assert_int_equal(op(HC_FS_OPEN, root(), "s", O_RDONLY, 0, &r, NULL), -ELOOP);
	assert_int_equal(op(HC_FS_WALK, root(), "s", 0, 0, &r, NULL), 0);
	assert_true(S_ISLNK(r.attr.mode));
	req = (struct fs_request){.op = HC_FS_SETATTR, .name = "s", .set = {.valid = HC_SET_MODE, .mode = 0}};
	assert_int_equal(call(&req, root(), no, &r, NULL), -EOPNOTSUPP);
	req = (struct fs_request){.op = HC_FS_SETATTR, .name = "s", .set = {.valid = HC_SET_SIZE}};
	assert_int_equal(call(&req, root(), no, &r, NULL), -ELOOP);
	req = (struct fs_request){.op = HC_FS_LINK, .name = "s", .name2 = "h"};
	assert_int_equal(call(&req, root(), root(), &r, NULL), 0);
	req = (struct fs_request){.op = HC_FS_RENAME, .name = "h", .name2 = "s2"};
	assert_int_equal(call(&req, root(), root(), &r, NULL), 0);
	req = (struct fs_request){.op = HC_FS_RENAME, .name = "nope", .name2 = "s2"};
	assert_int_equal(call(&req, root(), root(), &r, NULL), -ENOENT);
}

static void test_refused(void **state)
{
	struct fs_reply r = {0};

	assert_int_equal(op(HC_FS_MKNOD, root(), "fifo", 0, S_IFIFO | 0600, &r, NULL), 0);
	assert_true(S_ISFIFO(r.attr.mode));
	assert_int_equal(op(HC_FS_OPEN, root(), "fifo", O_RDONLY, 0, &r, NULL), -ENXIO);
	assert_int_equal(op(HC_FS_MKDIR, root(), "", 0, 0700, &r, NULL), -EINVAL);
	assert_int_equal(op(9999, root(), "x", 0, 0, &r, NULL), -ENOSYS);
	if (t.way == REMOTE) {
		struct object ro = {-1, 1}, bad = {-1, 77};

		assert_int_equal(op(HC_FS_MKDIR, ro, "x", 0, 0700, &r, NULL), -EROFS);
		assert_int_equal(op(HC_FS_OPEN, ro, "fifo", O_WRONLY, 0, &r, NULL), -EROFS);
		assert_int_equal(op(HC_FS_MKDIR, bad, "x", 0, 0700, &r, NULL), -EBADF);
		assert_int_equal(op(HC_FS_STAT, root(), "..", 0, 0, &r, NULL), -EBADF);
		assert_int_equal(op(HC_FS_STAT, root(), "a/b", 0, 0, &r, NULL), -EBADF);
	}
}

static void test_xattr(void **state)
{
	static const char *const names[] = {"f", "d", ""};
	struct object no = {-1, PROTO_NO_HANDLE}, f;
	struct fs_reply r = {0};

	assert_int_equal(op(HC_FS_CREATE, root(), "f", O_RDWR, 0600, &r, &f), 0);
	assert_int_equal(op(HC_FS_MKDIR, root(), "d", 0, 0700, &r, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct fs_request req = {.op = HC_FS_XATTR, .xattr_op = HC_XATTR_SET, .name2 = "user.x", .data = "val", .data_len = 3};
		char buf[64];
		int64_t n;

		strcpy(req.name, names[i]);
		n = call(&req, root(), no, &r, NULL);
		if (n == -EOPNOTSUPP)
			skip(); /* this file system has none */
		assert_int_equal(n, 0);
		req.xattr_op = HC_XATTR_GET;
		req.data_len = 0;
		r = (struct fs_reply){.fd = -1};
		assert_int_equal(call(&req, root(), no, &r, NULL), 3); /* the size alone */
		r = (struct fs_reply){.fd = -1, .data = buf, .data_size = sizeof(buf)};
		assert_int_equal(call(&req, root(), no, &r, NULL), 3);
		assert_memory_equal(buf, "val", 3);
		r = (struct fs_reply){.fd = -1, .data = buf, .data_size = 2};
		assert_int_equal(call(&req, root(), no, &r, NULL), -ERANGE);
		req.xattr_op = HC_XATTR_LIST;
		r = (struct fs_reply){.fd = -1, .data = buf, .data_size = sizeof(buf)};
		assert_true(call(&req, root(), no, &r, NULL) >= 7);
		req.xattr_op = HC_XATTR_REMOVE;
		assert_int_equal(call(&req, root(), no, &r, NULL), 0);
		assert_int_equal(call(&req, root(), no, &r, NULL), -ENODATA);
	}
	close(f.fd);
}

static void test_tmpfile(void **state)
{
	struct fs_reply r = {0};
	struct object f;
	int64_t n = op(HC_FS_CREATE, root(), "", O_RDWR | O_TMPFILE, 0600, &r, &f);

	if (n == -EOPNOTSUPP)
		skip();
	assert_int_equal(n, 0);
	assert_int_equal(r.attr.nlink, 0);
	close(f.fd);
}

static void test_ranges(void **state)
{
	struct fs_request req = {.op = HC_FS_FALLOCATE, .offset = 0, .len = 8192};
	struct fs_reply r = {0};
	struct object a, b;
	struct stat st;
	int64_t n;

	assert_int_equal(op(HC_FS_CREATE, root(), "a", O_RDWR, 0600, &r, &a), 0);
	assert_int_equal(op(HC_FS_CREATE, root(), "b", O_RDWR, 0600, &r, &b), 0);
	if (t.way == REMOTE) /* what the gofer opened is lent back to it */
		a.remote = b.remote = PROTO_NO_HANDLE;
	n = call(&req, a, (struct object){-1, PROTO_NO_HANDLE}, &r, NULL);
	if (n == -EOPNOTSUPP)
		skip();
	assert_int_equal(n, 0);
	assert_int_equal(fstat(a.fd, &st), 0);
	assert_int_equal(st.st_size, 8192);
	assert_int_equal(pwrite(a.fd, "hello", 5, 0), 5);
	req = (struct fs_request){.op = HC_FS_COPY_RANGE, .offset = 1, .offset2 = 100, .len = 4};
	n = call(&req, a, b, &r, NULL);
	if (n != -EXDEV) {
		char buf[8] = {0};

		assert_int_equal(n, 4);
		assert_int_equal(pread(b.fd, buf, 4, 100), 4);
		assert_string_equal(buf, "ello");
	}
	req.offset = ~0ull;
	assert_int_equal(call(&req, a, b, &r, NULL), -EINVAL);
	close(a.fd);
	close(b.fd);
}

#define ALL(s)                                                                                                          \
	cmocka_unit_test_setup_teardown(test_files, s, teardown), cmocka_unit_test_setup_teardown(test_directories, s, teardown), \
	    cmocka_unit_test_setup_teardown(test_links, s, teardown), cmocka_unit_test_setup_teardown(test_refused, s, teardown), \
	    cmocka_unit_test_setup_teardown(test_xattr, s, teardown), cmocka_unit_test_setup_teardown(test_tmpfile, s, teardown), \
	    cmocka_unit_test_setup_teardown(test_ranges, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names), ALL(setup_local), ALL(setup_fallback), ALL(setup_remote), ALL(setup_lent),
	};

	return cmocka_run_group_tests_name("fsops", tests, NULL, NULL);
}
