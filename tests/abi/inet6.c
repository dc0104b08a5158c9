// SPDX-License-Identifier: Apache-2.0
/* AF_INET6 over loopback, dual-stack sockets, urgent data, control messages of UDP (ipv6(7), tcp(7), ip(7)). */
#include "abi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const int one = 1;

static struct sockaddr_in6 at6(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	CHECK_EQ(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static struct sockaddr_in at4(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	CHECK_EQ(getsockname(fd, (void *)&a, &n), 0);
	return ntohs(a.sin6_port);
}

static int bound(int type, const char *addr)
{
	struct sockaddr_in6 a = at6(addr, 0);
	int fd = socket(AF_INET6, type, 0);
	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (void *)&a, sizeof(a)), 0);
	if (type == SOCK_STREAM)
		CHECK_EQ(listen(fd, 5), 0);
	return fd;
}

static void tcp6_pair(int fd[2])
{
	int l = bound(SOCK_STREAM, "::1");
	struct sockaddr_in6 a = at6("::1", port_of(l));
	fd[0] = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(connect(fd[0], (void *)&a, sizeof(a)), 0);
	fd[1] = accept(l, NULL, NULL);
	CHECK(fd[1] >= 0);
	close(l);
}

static void names(void)
{
	int fd[2];
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	char buf[8], text[INET6_ADDRSTRLEN];
	tcp6_pair(fd);
	CHECK_EQ(getpeername(fd[1], (void *)&a, &n), 0);
	CHECK_EQ(n, sizeof(a));
	CHECK_EQ(a.sin6_family, AF_INET6);
	CHECK(!strcmp(inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof(text)), "::1"));
	CHECK_EQ(ntohs(a.sin6_port), port_of(fd[0]));
	CHECK_EQ(write(fd[0], "six", 3), 3);
	CHECK_EQ(read(fd[1], buf, sizeof(buf)), 3);
	close(fd[0]);
	CHECK_EQ(read(fd[1], buf, sizeof(buf)), 0);
	close(fd[1]);
	int s = socket(AF_INET6, SOCK_STREAM, 0);
	n = sizeof(a);
	CHECK_EQ(getsockname(s, (void *)&a, &n), 0);
	CHECK_EQ(n, sizeof(a));
	CHECK(IN6_IS_ADDR_UNSPECIFIED(&a.sin6_addr) && !a.sin6_port);
	struct sockaddr_in four = at4(1);
	CHECK_ERRNO(bind(s, (void *)&four, sizeof(four)), EINVAL);
	a = at6("::1", 0);
	CHECK_ERRNO(bind(s, (void *)&a, 20), EINVAL);
	a.sin6_family = AF_INET;
	CHECK_ERRNO(bind(s, (void *)&a, sizeof(a)), EAFNOSUPPORT);
	close(s);
}

static void dual_stack(void)
{
	int l = bound(SOCK_STREAM, "::"), c = socket(AF_INET, SOCK_STREAM, 0), s;
	struct sockaddr_in four = at4(port_of(l)), back;
	struct sockaddr_in6 six;
	socklen_t n = sizeof(six);
	CHECK_EQ(connect(c, (void *)&four, sizeof(four)), 0);
	s = accept(l, (void *)&six, &n);
	CHECK(s >= 0);
	CHECK(IN6_IS_ADDR_V4MAPPED(&six.sin6_addr));
	n = sizeof(back);
	CHECK_EQ(getpeername(c, (void *)&back, &n), 0);
	CHECK_EQ(n, sizeof(back));
	CHECK_EQ(back.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	n = sizeof(six);
	CHECK_EQ(getsockname(s, (void *)&six, &n), 0);
	CHECK(IN6_IS_ADDR_V4MAPPED(&six.sin6_addr));
	close(c);
	close(s);
	/* The mapped address of an IPv6 socket reaches an IPv4 listener. */
	int l4 = socket(AF_INET, SOCK_STREAM, 0);
	four = at4(0);
	CHECK_EQ(bind(l4, (void *)&four, sizeof(four)), 0);
	CHECK_EQ(listen(l4, 1), 0);
	n = sizeof(four);
	CHECK_EQ(getsockname(l4, (void *)&four, &n), 0);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	six = at6("::ffff:127.0.0.1", ntohs(four.sin_port));
	CHECK_EQ(connect(c, (void *)&six, sizeof(six)), 0);
	close(c);
	/* IPV6_V6ONLY forbids that, and leaves the port to IPv4. */
	c = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_EQ(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), 0);
	CHECK_ERRNO(connect(c, (void *)&six, sizeof(six)), ENETUNREACH);
	six = at6("::", ntohs(four.sin_port));
	CHECK_EQ(bind(c, (void *)&six, sizeof(six)), 0);
	CHECK_ERRNO(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), EINVAL);
	close(c);
	c = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK_ERRNO(bind(c, (void *)&six, sizeof(six)), EADDRINUSE);
	close(c);
	close(l4);
	close(l);
}

static void datagrams(void)
{
	int a = bound(SOCK_DGRAM, "::"), b = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in four = at4(port_of(a));
	struct sockaddr_in6 six = at6("::1", port_of(a)), from;
	socklen_t n = sizeof(from);
	char buf[16];
	CHECK_EQ(sendto(b, "four", 4, 0, (void *)&four, sizeof(four)), 4);
	CHECK_EQ(recvfrom(a, buf, sizeof(buf), 0, (void *)&from, &n), 4);
	CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
	CHECK_EQ(sendto(a, "back", 4, 0, (void *)&from, n), 4);
	CHECK_EQ(recv(b, buf, sizeof(buf), 0), 4);
	CHECK_EQ(sendto(c, "six", 3, 0, (void *)&six, sizeof(six)), 3);
	n = sizeof(from);
	CHECK_EQ(recvfrom(a, buf, sizeof(buf), 0, (void *)&from, &n), 3);
	CHECK(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
	/* IPv4's form is good for an IPv6 datagram socket, too. */
	CHECK_EQ(sendto(c, "v4", 2, 0, (void *)&four, sizeof(four)), 2);
	CHECK_EQ(recv(a, buf, sizeof(buf), 0), 2);
	close(a);
	close(b);
	close(c);
}

static void *shut_later(void *fd)
{
	CHECK(abi_sleeps(getpid()));
	shutdown(*(int *)fd, SHUT_RD);
	return NULL;
}

/* A reader of datagrams that waits is told of shutdown(2). */
static void shut_reader(void)
{
	int a = bound(SOCK_DGRAM, "::1");
	struct sockaddr_in6 to = at6("::1", port_of(a));
	pthread_t t;
	char c;
	CHECK_OK(connect(a, (void *)&to, sizeof(to)));
	CHECK_OK(pthread_create(&t, NULL, shut_later, &a));
	CHECK_EQ(recv(a, &c, 1, 0), 0);
	pthread_join(t, NULL);
	CHECK_ERRNO(recv(a, &c, 1, MSG_DONTWAIT), EAGAIN);
	close(a);
}

static const struct cmsghdr *receive(int fd, struct msghdr *h, void *control, size_t room)
{
	static char buf[64];
	static struct iovec iov = {buf, sizeof(buf)};
	*h = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
	CHECK(recvmsg(fd, h, 0) > 0);
	return CMSG_FIRSTHDR(h);
}

static void control_data(void)
{
	int a = bound(SOCK_DGRAM, "::1"), b = socket(AF_INET6, SOCK_DGRAM, 0), v = 7;
	struct sockaddr_in6 to = at6("::1", port_of(a));
	union {
		char buf[256];
		struct cmsghdr align;
	} u;
	struct msghdr h;
	CHECK_EQ(setsockopt(a, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)), 0);
	CHECK_EQ(setsockopt(b, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &v, sizeof(v)), 0);
	CHECK_EQ(sendto(b, "x", 1, 0, (void *)&to, sizeof(to)), 1);
	const struct cmsghdr *c = receive(a, &h, &u, sizeof(u));
	CHECK(c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(struct in6_pktinfo)));
	CHECK(IN6_IS_ADDR_LOOPBACK(&((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_addr));
	CHECK(!CMSG_NXTHDR(&h, (struct cmsghdr *)c));
	CHECK_EQ(setsockopt(a, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one)), 0);
	CHECK_EQ(sendto(b, "x", 1, 0, (void *)&to, sizeof(to)), 1);
	c = receive(a, &h, &u, sizeof(u));
	c = CMSG_NXTHDR(&h, (struct cmsghdr *)c);
	CHECK(c && c->cmsg_type == IPV6_HOPLIMIT);
	memcpy(&v, CMSG_DATA(c), sizeof(v));
	CHECK_EQ(v, 7);
	/* No room. */
	CHECK_EQ(sendto(b, "x", 1, 0, (void *)&to, sizeof(to)), 1);
	receive(a, &h, &u, 4);
	CHECK(h.msg_flags & MSG_CTRUNC);
	CHECK_EQ(h.msg_controllen, 0);
	close(a);
	close(b);
	/* IPv4: the address it was sent to, and one to send from. */
	struct sockaddr_in four = at4(0);
	socklen_t n = sizeof(four);
	a = socket(AF_INET, SOCK_DGRAM, 0);
	b = socket(AF_INET, SOCK_DGRAM, 0);
	four.sin_addr.s_addr = htonl(INADDR_ANY);
	CHECK_EQ(bind(a, (void *)&four, sizeof(four)), 0);
	CHECK_EQ(getsockname(a, (void *)&four, &n), 0);
	CHECK_EQ(setsockopt(a, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)), 0);
	four.sin_addr.s_addr = htonl(0x7f000002);
	CHECK_EQ(sendto(b, "x", 1, 0, (void *)&four, sizeof(four)), 1);
	c = receive(a, &h, &u, sizeof(u));
	CHECK(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO);
	CHECK_EQ(((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr.s_addr, htonl(0x7f000002));
	CHECK_EQ(((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex, 1);
	close(a);
	close(b);
}

static volatile sig_atomic_t urgent_signals;
static void on_urgent(int sig) { urgent_signals++; }

static void urgent(void)
{
	int fd[2], mark, n;
	char buf[16];
	struct pollfd p;
	tcp6_pair(fd);
	signal(SIGURG, on_urgent);
	CHECK_EQ(fcntl(fd[1], F_SETOWN, getpid()), 0);
	CHECK_ERRNO(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	CHECK_EQ(send(fd[0], "abX", 3, MSG_OOB), 3);
	CHECK_EQ(send(fd[0], "cd", 2, 0), 2);
	p = (struct pollfd){fd[1], POLLPRI, 0};
	CHECK_EQ(poll(&p, 1, 60000), 1);
	CHECK_EQ(p.revents, POLLPRI);
	while (!urgent_signals)
		poll(NULL, 0, 1);
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	CHECK_EQ(mark, 0);
	while (!ioctl(fd[1], FIONREAD, &n) && n < 2)
		poll(NULL, 0, 1);
	CHECK_EQ(n, 2);
	CHECK_EQ(recv(fd[1], buf, sizeof(buf), 0), 2); /* stops at the mark */
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	CHECK_EQ(mark, 1);
	CHECK_EQ(recv(fd[1], buf, 1, MSG_OOB | MSG_PEEK), 1);
	CHECK_EQ(recv(fd[1], buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], 'X');
	CHECK_ERRNO(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	CHECK_EQ(recv(fd[1], buf, 2, MSG_WAITALL), 2);
	CHECK(!memcmp(buf, "cd", 2));
	/* In line. */
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)), 0);
	CHECK_EQ(send(fd[0], "eY", 2, MSG_OOB), 2);
	p.events = POLLPRI;
	CHECK_EQ(poll(&p, 1, 60000), 1);
	CHECK_EQ(recv(fd[1], buf, sizeof(buf), 0), 1);
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	CHECK_EQ(mark, 1);
	CHECK_EQ(recv(fd[1], buf, sizeof(buf), 0), 1);
	CHECK_EQ(buf[0], 'Y');
	CHECK_ERRNO(recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	close(fd[0]);
	close(fd[1]);
}

/* A connection that was reset before it was accepted is accepted all the same, with its name. */
static void reset_early(void)
{
	int l = bound(SOCK_STREAM, "::1"), c = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = at6("::1", port_of(l)), name = {0};
	struct linger hard = {1, 0};
	socklen_t n = sizeof(name);
	char byte;
	CHECK_EQ(connect(c, (void *)&a, sizeof(a)), 0);
	uint16_t port = port_of(c);
	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)));
	close(c);
	int s = accept(l, (void *)&name, &n);
	CHECK(s >= 0);
	CHECK_EQ(n, sizeof(name));
	CHECK_EQ(ntohs(name.sin6_port), port);
	CHECK_ERRNO(read(s, &byte, 1), ECONNRESET);
	n = sizeof(name);
	CHECK_ERRNO(getpeername(s, (void *)&name, &n), ENOTCONN);
	close(s);
	close(l);
}

static void options(void)
{
	int s = socket(AF_INET6, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0), v = -7;
	socklen_t n = sizeof(v);
	struct tcp_info info;
	CHECK_EQ(getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &v, &n), 0);
	CHECK_EQ(v, 0);
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &n), 0);
	CHECK_EQ(v, AF_INET6);
	v = 300;
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &v, sizeof(v)), EINVAL);
	CHECK_ERRNO(setsockopt(d, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(d, IPPROTO_IP, IP_TTL, &v, sizeof(v)), EINVAL);
	n = sizeof(v);
	CHECK_EQ(getsockopt(d, IPPROTO_IP, IP_TTL, &v, &n), 0);
	CHECK_EQ(v, 64);
	char many[8] = {0x10};
	CHECK_OK(setsockopt(d, IPPROTO_IP, IP_TOS, many, sizeof(many))); /* the beginning counts */
	n = sizeof(info);
	CHECK_EQ(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
	CHECK_EQ(info.tcpi_state, TCP_CLOSE);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8), ENOENT);
	char name[16] = "";
	n = sizeof(name);
	CHECK_EQ(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
	CHECK(name[0]);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_TYPE, &one, sizeof(one)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nonesuch", 9), ENODEV);
	close(s);
	close(d);
}

ABI_MAIN(ABI_TEST(names), ABI_TEST(dual_stack), ABI_TEST(datagrams), ABI_TEST(shut_reader), ABI_TEST(control_data), ABI_TEST(urgent),
    ABI_TEST(reset_early), ABI_TEST(options))
