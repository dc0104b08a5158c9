/* SPDX-License-Identifier: Apache-2.0 */
/* AF_UNIX sockets: unix(7), socket(7), recv(2), send(2), cmsg(3). */
#include "abi.h"

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t abstract(struct sockaddr_un *a)
{
	static int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	                   snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "abi-%d-%d", getpid(), n++));
}

static int listener(int type, struct sockaddr_un *a, socklen_t *len)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	*len = abstract(a);
	CHECK_OK(bind(fd, (struct sockaddr *)a, *len));
	CHECK_OK(listen(fd, 2));
	return fd;
}

static short events(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static int peek_error(int fd)
{
	int e = -1;
	socklen_t len = sizeof(e);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len));
	return e;
}

static void creation(void)
{
	int s[2];

	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 99, 0), EINVAL);
	CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD_POINTER), EFAULT);
	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s));
	CHECK_EQ(fcntl(s[0], F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(s[1], F_GETFD), FD_CLOEXEC);
	int v;
	socklen_t len = sizeof(v);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
	CHECK_EQ(v, SOCK_SEQPACKET);
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &v, &len));
	CHECK_EQ(v, AF_UNIX);
	CHECK_ERRNO(getsockopt(s[0], 6, 1, &v, &len), EOPNOTSUPP);
	CHECK_ERRNO(lseek(s[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(listen(0, 1), ENOTSOCK);
	struct stat st;
	CHECK_OK(fstat(s[0], &st));
	CHECK(S_ISSOCK(st.st_mode));
	close(s[0]);
	close(s[1]);
}

static void names(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"}, b;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), x;
	socklen_t len = sizeof(b);
	struct stat st;

	CHECK_OK(getsockname(s, (struct sockaddr *)&b, &len));
	CHECK_EQ(len, 2);
	CHECK_ERRNO(getpeername(s, (struct sockaddr *)&b, &len), ENOTCONN);
	CHECK_ERRNO(listen(s, 1), EINVAL); /* no name */
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(stat("sock", &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_ERRNO(open("sock", O_RDWR), ENXIO);
	CHECK_ERRNO(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
	CHECK_ERRNO(bind(s, (struct sockaddr *)&(struct sockaddr_un){AF_UNIX, "other"}, sizeof(a)), EINVAL);
	CHECK_ERRNO(bind(c, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
	len = sizeof(b);
	CHECK_OK(getsockname(s, (struct sockaddr *)&b, &len));
	CHECK_EQ(len, 2 + 5);
	CHECK(!strcmp(b.sun_path, "sock"));
	CHECK_ERRNO(connect(c, (struct sockaddr *)&a, sizeof(a)), ECONNREFUSED);
	CHECK_OK(listen(s, 1));
	CHECK_OK(connect(c, (struct sockaddr *)&a, sizeof(a)));
	CHECK_ERRNO(connect(c, (struct sockaddr *)&a, sizeof(a)), EISCONN);
	len = sizeof(b);
	CHECK_OK(getpeername(c, (struct sockaddr *)&b, &len));
	CHECK(!strcmp(b.sun_path, "sock"));
	len = sizeof(b);
	x = accept4(s, (struct sockaddr *)&b, &len, SOCK_CLOEXEC);
	CHECK(x >= 0);
	CHECK_EQ(len, 2); /* the client has no name */
	close(x);
	close(c);
	close(s);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERRNO(connect(c, (struct sockaddr *)&a, sizeof(a)), ECONNREFUSED);
	CHECK_OK(unlink("sock"));
	CHECK_ERRNO(connect(c, (struct sockaddr *)&a, sizeof(a)), ENOENT);
	CHECK_ERRNO(connect(c, (struct sockaddr *)&a, 2), EINVAL);
	CHECK_ERRNO(bind(c, (struct sockaddr *)&a, sizeof(a) + 10), EINVAL);

	/* autobind: five hexadecimal digits in the abstract name space */
	CHECK_OK(bind(c, (struct sockaddr *)&a, 2));
	len = sizeof(b);
	CHECK_OK(getsockname(c, (struct sockaddr *)&b, &len));
	CHECK_EQ(len, 2 + 6);
	CHECK_EQ(b.sun_path[0], 0);
	close(c);

	s = listener(SOCK_STREAM, &a, &len);
	c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK_ERRNO(connect(c, (struct sockaddr *)&a, len), ECONNREFUSED); /* another type: nobody of that name */
	close(c);
	close(s);
}

static void streams(void)
{
	int s[2], n;
	char buf[32];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(events(s[0]), POLLOUT);
	CHECK_EQ(write(s[0], "hello ", 6), 6);
	CHECK_EQ(write(s[0], "world", 5), 5);
	CHECK_OK(ioctl(s[1], FIONREAD, &n));
	CHECK_EQ(n, 11);
	CHECK_EQ(recv(s[1], buf, 32, MSG_PEEK), 11);
	CHECK_EQ(recv(s[1], buf, 3, MSG_PEEK), 3);
	CHECK_EQ(recv(s[1], buf, 8, MSG_WAITALL), 8);
	CHECK(!memcmp(buf, "hello wo", 8));
	CHECK_EQ(read(s[1], buf, 32), 3);
	CHECK_ERRNO(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(recv(s[1], buf, 0, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(s[0], buf, 0, 0), 0);
	CHECK_ERRNO(sendto(s[0], "x", 1, 0, (struct sockaddr *)&(struct sockaddr_un){.sun_family = AF_UNIX}, 10), EISCONN);

	/* shutdown is seen by both */
	CHECK_EQ(write(s[0], "end", 3), 3);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(events(s[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(s[1], buf, 32), 3);
	CHECK_EQ(read(s[1], buf, 32), 0);
	CHECK_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[0], buf, 32), 4);
	CHECK_OK(shutdown(s[0], SHUT_RD));
	CHECK_EQ(events(s[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_ERRNO(shutdown(s[0], 3), EINVAL);
	close(s[0]);
	close(s[1]);

	/* data left behind: the writer learns of it once */
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_EQ(write(s[0], "lost", 4), 4);
	close(s[1]);
	CHECK_EQ(events(s[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	CHECK_ERRNO(read(s[0], buf, 1), ECONNRESET);
	CHECK_EQ(read(s[0], buf, 1), 0);
	close(s[0]);
	s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(events(s[0]), POLLOUT | POLLHUP);
	CHECK_ERRNO(write(s[0], "x", 1), ENOTCONN);
	CHECK_ERRNO(read(s[0], buf, 1), EINVAL);
	close(s[0]);
}

static volatile int sigpipes;

static void on_sigpipe(int s)
{
	sigpipes++;
}

static void broken_pipe(void)
{
	int s[2];

	signal(SIGPIPE, on_sigpipe);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	close(s[1]);
	CHECK_ERRNO(write(s[0], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, 1);
	close(s[0]);
	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	close(s[1]);
	CHECK_ERRNO(write(s[0], "x", 1), EPIPE);
	CHECK_EQ(sigpipes, 1);
	close(s[0]);
	signal(SIGPIPE, SIG_DFL);
}

static void packets(void)
{
	static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
	char buf[32];
	int s[2], n;

	for (int i = 0; i < 2; i++) {
		struct iovec iov = {buf, 2};
		struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

		CHECK_OK(socketpair(AF_UNIX, types[i], 0, s));
		CHECK_EQ(send(s[0], "one", 3, 0), 3);
		CHECK_EQ(send(s[0], "", 0, 0), 0);
		CHECK_EQ(send(s[0], "three", 5, 0), 5);
		CHECK_OK(ioctl(s[1], FIONREAD, &n));
		CHECK_EQ(n, i ? 8 : 3);
		CHECK_EQ(recvmsg(s[1], &m, 0), 2);
		CHECK(m.msg_flags & MSG_TRUNC);
		CHECK_EQ(recv(s[1], buf, 32, 0), 0);
		CHECK_EQ(recv(s[1], buf, 2, MSG_TRUNC | MSG_PEEK), 5);
		CHECK_EQ(recv(s[1], buf, 32, 0), 5);
		CHECK_ERRNO(recv(s[1], buf, 32, MSG_DONTWAIT), EAGAIN);
		CHECK_ERRNO(send(s[0], BAD_POINTER, 300000, 0), EMSGSIZE);
		CHECK_OK(shutdown(s[0], SHUT_WR));
		CHECK_EQ(events(s[1]), i ? POLLIN | POLLOUT | POLLRDHUP : POLLOUT);
		CHECK_ERRNO(send(s[0], "x", 1, 0), EPIPE);
		close(s[0]);
		if (i)
			CHECK_EQ(recv(s[1], buf, 1, 0), 0);
		else
			CHECK_ERRNO(send(s[1], "x", 1, 0), ECONNREFUSED);
		close(s[1]);
	}
}

static void datagrams_by_name(void)
{
	struct sockaddr_un a, b, from;
	int r = socket(AF_UNIX, SOCK_DGRAM, 0), w = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t alen = abstract(&a), blen = abstract(&b), len = sizeof(from);
	char buf[8];

	CHECK_OK(bind(r, (struct sockaddr *)&a, alen));
	CHECK_ERRNO(send(w, "x", 1, 0), ENOTCONN);
	CHECK_EQ(sendto(w, "x", 1, 0, (struct sockaddr *)&a, alen), 1);
	CHECK_EQ(recvfrom(r, buf, 8, 0, (struct sockaddr *)&from, &len), 1);
	CHECK_EQ(len, 0);
	CHECK_OK(bind(w, (struct sockaddr *)&b, blen));
	CHECK_EQ(sendto(w, "y", 1, 0, (struct sockaddr *)&a, alen), 1);
	len = sizeof(from);
	CHECK_EQ(recvfrom(r, buf, 8, 0, (struct sockaddr *)&from, &len), 1);
	CHECK_EQ(len, blen);
	CHECK(!memcmp(&from, &b, blen));
	/* a connected receiver hears only its peer */
	CHECK_OK(connect(r, (struct sockaddr *)&a, alen));
	CHECK_ERRNO(sendto(w, "z", 1, 0, (struct sockaddr *)&a, alen), EPERM);
	CHECK_ERRNO(connect(w, (struct sockaddr *)&a, alen), EPERM);
	CHECK_OK(connect(r, (struct sockaddr *)&(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
	CHECK_OK(connect(w, (struct sockaddr *)&a, alen));
	CHECK_EQ(send(w, "z", 1, 0), 1);
	close(r);
	CHECK_ERRNO(send(w, "z", 1, 0), ECONNREFUSED);
	CHECK_ERRNO(send(w, "z", 1, 0), ENOTCONN);
	CHECK_ERRNO(sendto(w, "z", 1, 0, (struct sockaddr *)&a, alen), ECONNREFUSED);
	close(w);
}

static void backlog(void)
{
	struct sockaddr_un a;
	socklen_t len;
	int s = listener(SOCK_STREAM, &a, &len), c[8], n = 0, x;

	CHECK_EQ(events(s), 0);
	for (; n < 8; n++) {
		c[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(c[n], (struct sockaddr *)&a, len)) {
			CHECK_EQ(errno, EAGAIN);
			break;
		}
	}
	CHECK_EQ(n, 3);
	CHECK_EQ(events(s), POLLIN);
	CHECK_EQ(write(c[0], "early", 5), 5);
	x = accept(s, NULL, NULL);
	char buf[8];
	CHECK_EQ(read(x, buf, 8), 5);
	CHECK_OK(connect(c[n], (struct sockaddr *)&a, len));
	close(x);
	/* nobody will take these */
	close(s);
	CHECK_EQ(peek_error(c[1]), ECONNRESET);
	CHECK_EQ(read(c[1], buf, 8), 0);
	for (int i = 0; i <= n; i++)
		close(c[i]);
	s = listener(SOCK_STREAM, &a, &len);
	fcntl(s, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(accept(s, NULL, NULL), EAGAIN);
	CHECK_OK(shutdown(s, SHUT_RD));
	CHECK_ERRNO(accept(s, NULL, NULL), EAGAIN);
	fcntl(s, F_SETFL, 0);
	CHECK_ERRNO(accept(s, NULL, NULL), EINVAL);
	close(s);
}

static void buffers(void)
{
	static char big[1 << 20];
	int s[2], n = 0, v = 1;
	socklen_t len = sizeof(v);
	struct timeval t = {0, 20000};

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)));
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, &len));
	CHECK_EQ(v, 4608);
	v = 20000;
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)));
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, &len));
	CHECK_EQ(v, 40000);
	while (send(s[0], "x", 1, MSG_DONTWAIT) == 1)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(n, 40000 / 768 + 1);
	CHECK_EQ(events(s[0]), 0);
	CHECK_EQ(read(s[1], big, sizeof(big)), n);
	CHECK_EQ(events(s[0]), POLLOUT);
	long part = send(s[0], big, sizeof(big), MSG_DONTWAIT);
	CHECK(part > 20000 && part < 100000);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	CHECK_ERRNO(send(s[0], "x", 1, 0), EAGAIN);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	CHECK_ERRNO(recv(s[0], big, 1, 0), EAGAIN);
	t.tv_usec = 1000000;
	CHECK_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
	/* a writer that waits goes on when the reader reads */
	t.tv_usec = 0;
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	pid_t child = fork();
	if (!child)
		_exit(write(s[0], big, sizeof(big)) == sizeof(big) ? 0 : 1);
	long got = 0;
	while (got < part + (long)sizeof(big)) {
		ssize_t r = read(s[1], big, sizeof(big));
		if (r <= 0)
			break;
		got += r;
	}
	CHECK_EQ(got, part + (long)sizeof(big));
	int status;
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	close(s[0]);
	close(s[1]);
}

static void many_at_once(void)
{
	int s[2];
	char in[3][8] = {"a", "bb", "ccc"}, out[4][8];
	struct mmsghdr m[4] = {0};
	struct iovec iov[4];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){in[i], strlen(in[i])};
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK_EQ(sendmmsg(s[0], m, 3, 0), 3);
	CHECK_EQ(m[2].msg_len, 3);
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){out[i], 8};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	CHECK_EQ(recvmmsg(s[1], m, 4, MSG_WAITFORONE, NULL), 3);
	CHECK(m[1].msg_len == 2 && !memcmp(out[2], "ccc", 3));
	close(s[0]);
	close(s[1]);
}

/* Who polled a datagram socket waited for room at its peer too: nothing of that may be left when the peer is gone. */
static void peers_that_go(void)
{
	struct sockaddr_un name;
	socklen_t len = abstract(&name);
	struct epoll_event e = {.events = EPOLLOUT | EPOLLET};
	int u = socket(AF_UNIX, SOCK_DGRAM, 0), ep = epoll_create1(0), pair[24][2], status;
	pid_t child[24];

	REQUIRE(u >= 0 && ep >= 0);
	for (int i = 0; i < 4; i++) {
		int p = socket(AF_UNIX, SOCK_DGRAM, 0);
		REQUIRE(p >= 0);
		CHECK_EQ(bind(p, (struct sockaddr *)&name, len), 0);
		CHECK_EQ(connect(u, (struct sockaddr *)&name, len), 0);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, u, &e), 0);
		close(p);
		CHECK_EQ(connect(u, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)), 0);
		for (int k = 0; k < 24; k++) {
			REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[k]) == 0);
			child[k] = fork();
			if (!child[k]) {
				char c;
				alarm(120);
				_exit(read(pair[k][0], &c, 1) != 1);
			}
			CHECK(abi_sleeps(child[k]));
		}
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, u, NULL), 0);
		for (int k = 0; k < 24; k++) {
			CHECK_EQ(write(pair[k][1], "x", 1), 1);
			CHECK_EQ(waitpid(child[k], &status, 0), child[k]);
			CHECK_EQ(status, 0);
			close(pair[k][0]);
			close(pair[k][1]);
		}
	}
	close(u);
	close(ep);
}

/* epoll tells a connected sender of datagrams when its peer has room again, and when that is gone. */
static void room_at_the_peer(void)
{
	struct sockaddr_un name;
	socklen_t len = abstract(&name);
	int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), to = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct epoll_event e = {.events = EPOLLOUT | EPOLLET};
	int ep = epoll_create1(0), big = 1 << 20;
	char buf[8];

	REQUIRE(from >= 0 && to >= 0 && ep >= 0);
	CHECK_EQ(setsockopt(from, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)), 0);
	CHECK_EQ(bind(to, (struct sockaddr *)&name, len), 0);
	CHECK_EQ(connect(from, (struct sockaddr *)&name, len), 0);
	while (send(from, "x", 1, 0) == 1)
		;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, from, &e), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	CHECK_EQ(recv(to, buf, sizeof(buf), 0), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 60000), 1);
	CHECK(e.events & EPOLLOUT);
	while (send(from, "x", 1, 0) == 1)
		;
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	close(to);
	CHECK_EQ(epoll_wait(ep, &e, 1, 60000), 1);
	CHECK_ERRNO(send(from, "x", 1, 0), ECONNREFUSED);
	close(from);
	close(ep);
}

static void scratch(void)
{
	abi_scratch();
}

ABI_MAIN(ABI_TEST(scratch), ABI_TEST(creation), ABI_TEST(names), ABI_TEST(streams), ABI_TEST(broken_pipe),
         ABI_TEST(packets), ABI_TEST(datagrams_by_name), ABI_TEST(backlog), ABI_TEST(buffers), ABI_TEST(many_at_once),
         ABI_TEST(peers_that_go), ABI_TEST(room_at_the_peer))
