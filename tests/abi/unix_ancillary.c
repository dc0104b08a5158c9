/* SPDX-License-Identifier: Apache-2.0 */
/* What AF_UNIX sockets carry besides data: descriptors and credentials; unix(7), cmsg(3). */
#include "abi.h"

#include <sys/resource.h>
#include <sys/socket.h>

struct box {
	struct msghdr m;
	struct iovec iov;
	char data[16];
	_Alignas(struct cmsghdr) char control[256];
};

static struct box *box(struct box *b, size_t n, size_t control)
{
	memset(b, 0, sizeof(*b));
	b->iov = (struct iovec){b->data, n};
	b->m = (struct msghdr){.msg_iov = &b->iov, .msg_iovlen = 1, .msg_control = control ? b->control : NULL,
	                       .msg_controllen = control};
	return b;
}

static void put(struct box *b, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (void *)b->control;

	b->m.msg_control = b->control;
	b->m.msg_controllen = CMSG_SPACE(n);
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(n), .cmsg_level = SOL_SOCKET, .cmsg_type = type};
	memcpy(CMSG_DATA(c), data, n);
}

static void pass_descriptors(void)
{
	int s[2], p[2], got[2];
	struct box b;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_OK(pipe(p));
	put(box(&b, 1, 0), SCM_RIGHTS, p, sizeof(p));
	CHECK_EQ(sendmsg(s[0], &b.m, 0), 1);
	CHECK_EQ(write(s[0], "more", 4), 4);
	close(p[0]);
	CHECK_EQ(recvmsg(s[1], &box(&b, 16, 256)->m, MSG_CMSG_CLOEXEC), 1); /* not joined with what follows */
	struct cmsghdr *c = CMSG_FIRSTHDR(&b.m);
	REQUIRE(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(8));
	memcpy(got, CMSG_DATA(c), 8);
	CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(b.m.msg_flags, MSG_CMSG_CLOEXEC);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(read(got[0], b.data, 1), 1);
	close(got[0]);
	close(got[1]);
	CHECK_EQ(recvmsg(s[1], &box(&b, 16, 256)->m, 0), 4);
	CHECK_EQ(b.m.msg_controllen, 0);

	/* room for one of two */
	int two[2] = {p[1], p[1]};
	put(box(&b, 1, 0), SCM_RIGHTS, two, sizeof(two));
	CHECK_EQ(sendmsg(s[0], &b.m, 0), 1);
	CHECK_EQ(recvmsg(s[1], &box(&b, 16, CMSG_LEN(4))->m, 0), 1);
	CHECK(b.m.msg_flags & MSG_CTRUNC);
	c = CMSG_FIRSTHDR(&b.m);
	REQUIRE(c && c->cmsg_len == CMSG_LEN(4));
	memcpy(got, CMSG_DATA(c), 4);
	close(got[0]);
	/* none asked for: they are gone */
	put(box(&b, 1, 0), SCM_RIGHTS, two, sizeof(two));
	CHECK_EQ(sendmsg(s[0], &b.m, 0), 1);
	CHECK_EQ(recvmsg(s[1], &box(&b, 16, 0)->m, 0), 1);
	CHECK_EQ(b.m.msg_flags, MSG_CTRUNC);

	two[1] = 999;
	put(box(&b, 1, 0), SCM_RIGHTS, two, sizeof(two));
	CHECK_ERRNO(sendmsg(s[0], &b.m, 0), EBADF);
	put(box(&b, 1, 0), 77, two, sizeof(two));
	CHECK_ERRNO(sendmsg(s[0], &b.m, 0), EINVAL);
	/* a socket inside itself */
	put(box(&b, 1, 0), SCM_RIGHTS, &s[1], sizeof(int));
	CHECK_EQ(sendmsg(s[0], &b.m, 0), 1);
	close(p[1]);
	close(s[0]);
	close(s[1]);
}

/* Sockets inside sockets inside sockets: Linux has a limit, or not; closing the outermost must work. */
static void nested_descriptors(void)
{
	int outer[2] = {-1, -1}, s[2];

	for (int i = 0; i < 2000; i++) {
		struct box b;

		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		if (outer[0] >= 0) {
			put(box(&b, 1, 0), SCM_RIGHTS, outer, sizeof(outer));
			if (sendmsg(s[0], &b.m, 0) != 1) {
				CHECK_EQ(errno, ETOOMANYREFS);
				close(s[0]);
				close(s[1]);
				break;
			}
			close(outer[0]);
			close(outer[1]);
		}
		memcpy(outer, s, sizeof(outer));
	}
	close(outer[0]);
	close(outer[1]);
}

static void credentials(void)
{
	int s[2], on = 1;
	struct box b;
	struct ucred u;
	socklen_t len = sizeof(u);

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len));
	CHECK(u.pid == getpid() && u.uid == getuid() && u.gid == getgid());
	CHECK_EQ(write(s[0], "before", 6), 6);
	CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	CHECK_EQ(write(s[0], "after", 5), 5);
	CHECK_EQ(recvmsg(s[1], &box(&b, 16, 256)->m, 0), 6); /* sent when nobody asked: another sender */
	struct cmsghdr *c = CMSG_FIRSTHDR(&b.m);
	REQUIRE(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&u, CMSG_DATA(c), sizeof(u));
	CHECK(u.pid == 0 && u.uid == 65534 && u.gid == 65534);
	CHECK_EQ(recvmsg(s[1], &box(&b, 16, 256)->m, 0), 5);
	c = CMSG_FIRSTHDR(&b.m);
	REQUIRE(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&u, CMSG_DATA(c), sizeof(u));
	CHECK(u.pid == getpid() && u.uid == getuid() && u.gid == getgid());
	u.pid = 1 << 22;
	put(box(&b, 1, 0), SCM_CREDENTIALS, &u, sizeof(u));
	CHECK(sendmsg(s[0], &b.m, 0) == -1 && (errno == ESRCH || errno == EPERM));
	close(s[0]);
	close(s[1]);
	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	len = sizeof(u);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len));
	CHECK(u.pid == 0 && u.uid == (uid_t)-1 && u.gid == (gid_t)-1);
	close(s[0]);
}

static int send_fd(int s, int fd)
{
	struct box b;
	put(box(&b, 1, 0), SCM_RIGHTS, &fd, sizeof(fd));
	return (int)sendmsg(s, &b.m, MSG_DONTWAIT);
}

/* A user has as many descriptors in flight as he may have open (and one message more), wherever they are. */
static void do_in_flight(void)
{
	const struct rlimit few = {50, 50};
	int a[2], b[2], n = 0;
	char buf[CMSG_SPACE(sizeof(int))], c;

	CHECK_EQ(setresuid(54322, 54322, 54322), 0);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b) == 0);
	while (n < 100 && send_fd(n % 2 ? a[0] : b[0], 0) == 1)
		n++;
	CHECK_EQ(n, 51);
	CHECK_ERRNO(send_fd(a[0], 0), ETOOMANYREFS);
	CHECK_EQ(write(a[0], "x", 1), 1);
	/* received or thrown away, they count no more */
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf)};
	CHECK_EQ(recvmsg(b[1], &m, MSG_CMSG_CLOEXEC), 1);
	int got = -1;
	memcpy(&got, CMSG_DATA((struct cmsghdr *)buf), sizeof(got));
	close(got);
	CHECK_EQ(send_fd(a[0], 0), 1);
	CHECK_ERRNO(send_fd(a[0], 0), ETOOMANYREFS);
	close(b[0]);
	close(b[1]);
	for (n = 0; n < 100 && send_fd(a[0], 0) == 1; n++)
		;
	CHECK_EQ(n, 25);
	close(a[0]);
	close(a[1]);
}

static void in_flight(void) { CHECK_EQ(abi_child(do_in_flight), 0); }

static void scratch(void)
{
	abi_scratch();
}

ABI_MAIN(ABI_TEST(scratch), ABI_TEST(pass_descriptors), ABI_TEST(nested_descriptors), ABI_TEST(credentials), ABI_TEST(in_flight))
