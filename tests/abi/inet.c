// SPDX-License-Identifier: Apache-2.0
/* AF_INET over loopback: connections and their ends, ports, datagrams, poll (ip(7), tcp(7), udp(7)). */
#include "abi.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	return getsockname(fd, (void *)&a, &n) ? 0 : ntohs(a.sin_port);
}

static int listener(void)
{
	struct sockaddr_in a = at(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(fd, 5), 0);
	return fd;
}

static void pair(int fd[2])
{
	int l = listener();
	struct sockaddr_in a = at(port_of(l));
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd[0], (void *)&a, sizeof(a)), 0);
	fd[1] = accept(l, NULL, NULL);
	CHECK(fd[1] >= 0);
	close(l);
}

static short events(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
	poll(&p, 1, 0);
	return p.revents;
}

/* Waits for those of mask to be want: a busy Linux delivers packets later, even those to itself. All events, in the end. */
static short settled(int fd, short want, short mask)
{
	for (int i = 0; i < 20000 && (events(fd) & mask) != want; i++)
		usleep(1000);
	return events(fd);
}
#define CHECK_EVENTS(fd, want) CHECK_EQ(settled(fd, want, ~0), want)

static void talk(void)
{
	int fd[2], n;
	char buf[16];
	struct sockaddr_in a, b;
	socklen_t len = sizeof(a);
	pair(fd);
	CHECK_EQ(getpeername(fd[0], (void *)&a, &len), 0);
	len = sizeof(b);
	CHECK_EQ(getsockname(fd[1], (void *)&b, &len), 0);
	CHECK(len == sizeof(b) && !memcmp(&a, &b, sizeof(a)));
	CHECK_EQ(port_of(fd[0]) != 0, 1);
	CHECK_EVENTS(fd[1], POLLOUT);
	CHECK_EQ(send(fd[0], "hello", 5, 0), 5);
	CHECK_EQ(send(fd[0], "world", 5, 0), 5);
	CHECK_EVENTS(fd[1], POLLIN | POLLOUT);
	CHECK_EQ(recv(fd[1], buf, 10, MSG_PEEK | MSG_WAITALL), 10);
	CHECK_EQ(ioctl(fd[1], FIONREAD, &n), 0);
	CHECK_EQ(n, 10);
	CHECK_EQ(recv(fd[1], buf, 7, MSG_PEEK), 7);
	CHECK_EQ(recv(fd[1], buf, 7, MSG_WAITALL), 7);
	CHECK(!memcmp(buf, "hellowo", 7));
	CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
	CHECK_EVENTS(fd[1], POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(fd[1], buf, 16), 3);
	CHECK_EQ(read(fd[1], buf, 16), 0);
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(write(fd[1], "back", 4), 4);
	CHECK_EQ(read(fd[0], buf, 16), 4);
	CHECK_ERRNO(recv(fd[0], buf, 16, MSG_DONTWAIT), EAGAIN);
	close(fd[1]);
	CHECK_EQ(read(fd[0], buf, 16), 0);
	CHECK_EVENTS(fd[0], POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	close(fd[0]);
}

/* A close with unread data resets; a write to one who is gone is answered later. */
static void ends(void)
{
	int fd[2], err;
	char c;
	socklen_t n = sizeof(err);
	pair(fd);
	CHECK_EQ(write(fd[0], "lost", 4), 4);
	CHECK_EVENTS(fd[1], POLLIN | POLLOUT);
	close(fd[1]);
	CHECK_EVENTS(fd[0], POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	CHECK_ERRNO(read(fd[0], &c, 1), ECONNRESET);
	CHECK_EQ(read(fd[0], &c, 1), 0);
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(getpeername(fd[0], (void *)&(struct sockaddr_in){0}, &(socklen_t){16}), ENOTCONN);
	close(fd[0]);
	pair(fd);
	close(fd[1]);
	CHECK(settled(fd[0], POLLRDHUP, POLLRDHUP) & POLLRDHUP);
	CHECK_EQ(send(fd[0], "x", 1, MSG_NOSIGNAL), 1);
	CHECK(settled(fd[0], POLLERR, POLLERR) & POLLERR);
	CHECK_EQ(getsockopt(fd[0], SOL_SOCKET, SO_ERROR, &err, &n), 0);
	CHECK_EQ(err, EPIPE);
	CHECK_ERRNO(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	close(fd[0]);
}

static void refused(void)
{
	int taken = socket(AF_INET, SOCK_STREAM, 0), err = -1;
	struct sockaddr_in a = at(0), far;
	socklen_t n = sizeof(err);
	char c;
	CHECK_EQ(bind(taken, (void *)&a, sizeof(a)), 0); /* nobody else's, but nobody listens there */
	far = a = at(port_of(taken));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERRNO(read(fd, &c, 1), ENOTCONN);
	CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(shutdown(fd, SHUT_RDWR), ENOTCONN);
	CHECK_EVENTS(fd, POLLIN | POLLOUT | POLLHUP | POLLRDHUP); /* shut down all the same */
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EVENTS(fd, POLLOUT | POLLHUP);
	CHECK_ERRNO(connect(fd, (void *)&a, sizeof(a)), ECONNREFUSED);
	CHECK_ERRNO(connect(fd, (void *)&a, 8), EINVAL);
	CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
	far.sin_family = AF_INET6;
	CHECK_ERRNO(connect(fd, (void *)&far, sizeof(far)), EAFNOSUPPORT);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERRNO(connect(fd, (void *)&a, sizeof(a)), EINPROGRESS);
	CHECK(settled(fd, POLLERR, POLLERR) & POLLERR);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n), 0);
	CHECK_EQ(err, ECONNREFUSED);
	close(fd);
	close(taken);
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
}

static void nonblocking(void)
{
	int l = listener();
	struct sockaddr_in a = at(port_of(l));
	fcntl(l, F_SETFL, O_NONBLOCK);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_EVENTS(l, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), err = -1;
	socklen_t n = sizeof(err);
	CHECK_ERRNO(connect(fd, (void *)&a, sizeof(a)), EINPROGRESS);
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	CHECK_EQ(poll(&p, 1, 30000), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n), 0);
	CHECK_EQ(err, 0);
	CHECK_EQ(connect(fd, (void *)&a, sizeof(a)), 0);
	CHECK_ERRNO(connect(fd, (void *)&a, sizeof(a)), EISCONN);
	CHECK_EVENTS(l, POLLIN);
	int s = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(s >= 0);
	char buf[65536];
	long sent = 0, got = 0, r;
	memset(buf, 1, sizeof(buf));
	/* What is delivered later makes room for more, until both sides are full. */
	for (int i = 0; i < 20000; i++, usleep(1000)) {
		while ((r = write(fd, buf, sizeof(buf))) > 0)
			sent += r;
		CHECK(r == -1 && errno == EAGAIN);
		if (!(events(fd) & POLLOUT))
			break;
	}
	CHECK_EQ(events(fd) & POLLOUT, 0);
	p = (struct pollfd){.fd = s, .events = POLLIN};
	while (got < sent && poll(&p, 1, 30000) == 1 && (r = read(s, buf, sizeof(buf))) > 0)
		got += r;
	CHECK_EQ(got, sent);
	CHECK_EVENTS(fd, POLLOUT);
	close(s);
	close(fd);
	close(l);
}

static void ports(void)
{
	int l = listener(), one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = at(port_of(l)), any = a;
	CHECK_ERRNO(bind(fd, (void *)&a, sizeof(a)), EADDRINUSE);
	any.sin_addr.s_addr = 0;
	CHECK_ERRNO(bind(fd, (void *)&any, sizeof(any)), EADDRINUSE);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	CHECK_ERRNO(bind(fd, (void *)&a, sizeof(a)), EADDRINUSE); /* somebody listens */
	a.sin_addr.s_addr = htonl(0x08080808);
	CHECK_ERRNO(bind(fd, (void *)&a, sizeof(a)), EADDRNOTAVAIL);
	a = at(0);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	CHECK_ERRNO(bind(fd, (void *)&a, sizeof(a)), EINVAL);
	CHECK(port_of(fd) >= 1024);
	close(fd);
	/* 127.0.0.2 is another address */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a = at(port_of(l));
	a.sin_addr.s_addr = htonl(0x7f000002);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	close(fd);
	close(l);
}

static void datagrams(void)
{
	struct sockaddr_in a = at(0), from;
	socklen_t len = sizeof(from);
	char buf[8];
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), n;
	CHECK_EQ(bind(s, (void *)&a, sizeof(a)), 0);
	a = at(port_of(s));
	CHECK_ERRNO(send(c, "x", 1, 0), EDESTADDRREQ);
	CHECK_ERRNO(listen(c, 1), EOPNOTSUPP);
	CHECK_EQ(sendto(c, "first", 5, 0, (void *)&a, sizeof(a)), 5);
	CHECK_EQ(sendto(c, "", 0, 0, (void *)&a, sizeof(a)), 0);
	CHECK_EVENTS(s, POLLIN | POLLOUT);
	CHECK_EQ(ioctl(s, FIONREAD, &n), 0);
	CHECK_EQ(n, 5);
	CHECK_EQ(recvfrom(s, buf, 3, MSG_TRUNC, (void *)&from, &len), 5);
	CHECK_EQ(ntohs(from.sin_port), port_of(c));
	CHECK_EQ(recv(s, buf, 8, 0), 0);
	CHECK_ERRNO(recv(s, buf, 8, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(connect(c, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(send(c, "more", 4, 0), 4);
	CHECK_EQ(recv(s, buf, 8, 0), 4);
	CHECK_EQ(sendto(s, "answer", 6, 0, (void *)&from, sizeof(from)), 6);
	CHECK_EQ(recv(c, buf, 8, 0), 6);
	char *big = calloc(1, 70000);
	CHECK_ERRNO(send(c, big, 65508, 0), EMSGSIZE);
	CHECK_EQ(send(c, big, 65507, 0), 65507);
	free(big);
	close(s);
	CHECK_EQ(send(c, "lost", 4, 0), 4);
	CHECK(settled(c, POLLERR, POLLERR) & POLLERR);
	CHECK_ERRNO(send(c, "x", 1, 0), ECONNREFUSED);
	close(c);
}

static void options(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), v = 1;
	socklen_t n = sizeof(v);
	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, n), 0);
	v = 0;
	CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &n), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &v, &n), 0);
	CHECK_EQ(v, IPPROTO_TCP);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &n), 0);
	CHECK_EQ(v, 0);
	CHECK_EQ(getsockopt(fd, IPPROTO_IP, IP_TTL, &v, &n), 0);
	CHECK_EQ(v, 64);
	struct sockaddr_in a = at(0);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(fd, 1), 0);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &n), 0);
	CHECK_EQ(v, 1);
	close(fd);
}

static int shared(int type, uint16_t port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, type, 0), one = 1;

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	if (!bind(fd, (void *)&a, sizeof(a)))
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* SO_REUSEPORT is among the sockets of one user: another one cannot take what is sent to them. A connection that he makes
 * does not count as his. */
/* What a listener hands on to those it accepts. */
static void inherited(void)
{
	int l = listener(), fd[2], one = 1, v = 0;
	struct sockaddr_in a = at(port_of(l));
	struct timeval rcv = {3, 500000}, snd = {7, 0}, t = {0};
	struct linger g = {1, 5}, got = {0};
	socklen_t n = sizeof(t);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &rcv, sizeof(rcv)), 0);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_SNDTIMEO, &snd, sizeof(snd)), 0);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof(one)), 0);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_LINGER, &g, sizeof(g)), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd[0], (void *)&a, sizeof(a)), 0);
	fd[1] = accept(l, NULL, NULL);
	CHECK(getsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &t, &n) == 0 && t.tv_sec == 3 && t.tv_usec == 500000);
	CHECK(getsockopt(fd[1], SOL_SOCKET, SO_SNDTIMEO, &t, &n) == 0 && t.tv_sec == 7 && t.tv_usec == 0);
	n = sizeof(v);
	CHECK(getsockopt(fd[1], SOL_SOCKET, SO_KEEPALIVE, &v, &n) == 0 && v == 1);
	CHECK(getsockopt(fd[1], SOL_SOCKET, SO_TIMESTAMP, &v, &n) == 0 && v == 1);
	n = sizeof(got);
	CHECK(getsockopt(fd[1], SOL_SOCKET, SO_LINGER, &got, &n) == 0 && got.l_onoff == 1 && got.l_linger == 5);
	close(fd[0]);
	close(fd[1]);
	close(l);
}

/* A connection that finds no descriptor waits for one. */
static void no_descriptor(void)
{
	int l = listener(), c = socket(AF_INET, SOCK_STREAM, 0), fd;
	struct sockaddr_in a = at(port_of(l));
	struct rlimit old, none;
	char buf[4];
	CHECK_EQ(connect(c, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(write(c, "here", 4), 4);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
	none = (struct rlimit){0, old.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	CHECK_ERRNO(accept(l, NULL, NULL), EMFILE);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	fd = accept(l, NULL, NULL);
	REQUIRE(fd >= 0);
	CHECK_EQ(read(fd, buf, 4), 4);
	/* a failed one leaves the number free */
	CHECK_EQ(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	int next = dup(l);
	CHECK_EQ(next, fd + 1);
	close(next);
	close(fd);
	close(c);
	close(l);
}

static void share_with_others(void)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = -1;

	if (geteuid())
		return;
	/* a network where sockets are the kernel's own business */
	REQUIRE(!unshare(CLONE_NEWNET) && (fd = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
	CHECK_EQ(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	for (int i = 0; i < 2; i++) {
		int again, c, s;
		fd = shared(types[i], 0);
		struct sockaddr_in a = at(port_of(fd));
		if (types[i] == SOCK_STREAM)
			CHECK_EQ(listen(fd, 5), 0);
		again = shared(types[i], port_of(fd));
		CHECK(again >= 0);
		close(again);
		CHECK_EQ(seteuid(1000), 0);
		CHECK_ERRNO(shared(types[i], port_of(fd)), EADDRINUSE);
		c = socket(AF_INET, types[i], 0);
		CHECK_EQ(connect(c, (void *)&a, sizeof(a)), 0);
		CHECK_EQ(seteuid(0), 0);
		s = types[i] == SOCK_STREAM ? accept(fd, NULL, NULL) : -1;
		again = shared(types[i], port_of(fd));
		CHECK(again >= 0);
		close(again);
		close(c);
		if (s >= 0)
			close(s);
		close(fd);
	}
}

static void ports_of_users(void) { CHECK_EQ(abi_child(share_with_others), 0); }

static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

/* A socket that left a connection by connect(2) to AF_UNSPEC has nothing of it: neither its bytes nor its end. */
static void disconnects(void)
{
	int fd[2], l = listener(), c, s;
	struct sockaddr_in a = at(port_of(l));
	char buf[16];

	pair(fd);
	CHECK_EQ(send(fd[1], "old", 3, 0), 3);
	CHECK_EVENTS(fd[0], POLLIN | POLLOUT);
	CHECK_EQ(connect(fd[0], &nobody, sizeof(nobody)), 0);
	CHECK_EQ(recv(fd[0], buf, sizeof(buf), MSG_DONTWAIT), -1); /* ECONNRESET once, then ENOTCONN */
	CHECK_EQ(settled(fd[1], POLLHUP, POLLHUP) & POLLHUP, POLLHUP);
	CHECK_EQ(connect(fd[0], (void *)&a, sizeof(a)), 0);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	CHECK_ERRNO(send(fd[1], "stray", 5, MSG_NOSIGNAL), ECONNRESET);
	close(fd[1]);
	CHECK_EQ(send(s, "new", 3, 0), 3);
	CHECK_EQ(recv(fd[0], buf, sizeof(buf), 0), 3);
	CHECK(!memcmp(buf, "new", 3));
	CHECK_ERRNO(recv(fd[0], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	close(fd[0]);
	close(s);
	/* A listener that does: those who wait in its backlog are told. */
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(c, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(connect(l, &nobody, sizeof(nobody)), 0);
	CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
	CHECK_EQ(settled(c, POLLHUP, POLLHUP) & POLLHUP, POLLHUP);
	CHECK_ERRNO(recv(c, buf, sizeof(buf), MSG_DONTWAIT), ECONNRESET);
	close(c);
	close(l);
}

static atomic_bool racing;

static void *disconnect_always(void *fd)
{
	while (racing)
		connect((int)(intptr_t)fd, &nobody, sizeof(nobody));
	return NULL;
}

/* One thread connects, another one disconnects, while the backlog comes and goes. */
static void disconnects_meanwhile(void)
{
	int l = listener(), c = socket(AF_INET, SOCK_STREAM, 0), s;
	struct sockaddr_in a = at(port_of(l));
	pthread_t t;

	listen(l, 0);
	fcntl(l, F_SETFL, O_NONBLOCK);
	fcntl(c, F_SETFL, O_NONBLOCK);
	racing = true;
	REQUIRE(!pthread_create(&t, NULL, disconnect_always, (void *)(intptr_t)c));
	for (int i = 0; i < 2000; i++) {
		connect(c, (void *)&a, sizeof(a));
		s = i % 3 ? accept(l, NULL, NULL) : -1;
		if (s >= 0)
			close(s);
	}
	racing = false;
	pthread_join(t, NULL);
	close(c);
	close(l);
}

#define MANY 1500

/* More sockets are ready at once than somebody in between may want to remember: each is told of. */
static void many_ready(void)
{
	static int fd[MANY];
	int ep = epoll_create1(EPOLL_CLOEXEC), from = socket(AF_INET, SOCK_DGRAM, 0), n = 0, told = 0, got;
	struct epoll_event ev[64];
	struct rlimit old, most;
	char c;

	REQUIRE(ep >= 0 && from >= 0 && getrlimit(RLIMIT_NOFILE, &old) == 0);
	most = (struct rlimit){old.rlim_max, old.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &most), 0);
	for (; n < MANY; n++) {
		struct sockaddr_in a = at(0);
		fd[n] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fd[n] < 0)
			break; /* as many as there may be */
		ev[0] = (struct epoll_event){.events = EPOLLIN, .data.u32 = (uint32_t)n};
		CHECK_EQ(bind(fd[n], (void *)&a, sizeof(a)), 0);
		CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd[n], &ev[0]), 0);
	}
	CHECK(n > 100);
	for (int i = 0; i < n; i++) {
		struct sockaddr_in a = at(port_of(fd[i]));
		CHECK_EQ(sendto(from, "x", 1, 0, (void *)&a, sizeof(a)), 1);
	}
	while (told < n && CHECK((got = epoll_wait(ep, ev, 64, 30000)) > 0))
		for (int i = 0; i < got; i++)
			told += recv(fd[ev[i].data.u32], &c, 1, 0) == 1;
	CHECK_EQ(told, n);
	while (n)
		close(fd[--n]);
	close(from);
	close(ep);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
}

ABI_MAIN(ABI_TEST(talk), ABI_TEST(ends), ABI_TEST(disconnects), ABI_TEST(disconnects_meanwhile), ABI_TEST(refused), ABI_TEST(nonblocking), ABI_TEST(ports), ABI_TEST(ports_of_users), ABI_TEST(datagrams),
    ABI_TEST(options), ABI_TEST(inherited), ABI_TEST(no_descriptor), ABI_TEST(many_ready))
