// SPDX-License-Identifier: Apache-2.0
/* Network interfaces as programs learn of them: ioctls, netlink, getifaddrs, /proc/net, /sys/class/net (netdevice(7),
 * rtnetlink(7)). */
#include "abi.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void ioctls(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_name = "lo"}, list[64];
	struct ifconf c = {.ifc_len = sizeof(list), .ifc_req = list};
	CHECK_OK(ioctl(s, SIOCGIFINDEX, &r));
	CHECK_EQ(r.ifr_ifindex, 1);
	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	CHECK((r.ifr_flags & (IFF_UP | IFF_LOOPBACK)) == (IFF_UP | IFF_LOOPBACK));
	CHECK_OK(ioctl(s, SIOCGIFADDR, &r));
	CHECK_EQ(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK_OK(ioctl(s, SIOCGIFMTU, &r));
	CHECK_EQ(r.ifr_mtu, 65536);
	strcpy(r.ifr_name, "none0");
	CHECK_ERRNO(ioctl(s, SIOCGIFINDEX, &r), ENODEV);
	CHECK_OK(ioctl(s, SIOCGIFCONF, &c));
	CHECK(c.ifc_len >= (int)sizeof(r) && c.ifc_len % sizeof(r) == 0);
	CHECK(!strcmp(list[0].ifr_name, "lo"));
	c = (struct ifconf){0};
	CHECK_OK(ioctl(s, SIOCGIFCONF, &c));
	CHECK(c.ifc_len >= (int)sizeof(r));
	CHECK_ERRNO(ioctl(s, SIOCGIFINDEX, BAD_POINTER), EFAULT);
	close(s);
	CHECK_EQ(if_nametoindex("lo"), 1);
	s = socket(AF_UNIX, SOCK_STREAM, 0); /* any socket will do */
	strcpy(r.ifr_name, "lo");
	CHECK_OK(ioctl(s, SIOCGIFINDEX, &r));
	close(s);
}

struct request {
	struct nlmsghdr h;
	union {
		struct rtgenmsg gen;
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	};
};

static ssize_t ask(int fd, struct request *q, size_t body, char *buf, size_t room)
{
	q->h.nlmsg_len = NLMSG_LENGTH(body);
	q->h.nlmsg_flags |= NLM_F_REQUEST;
	q->h.nlmsg_seq = 77;
	CHECK_EQ(send(fd, q, q->h.nlmsg_len, 0), q->h.nlmsg_len);
	return recv(fd, buf, room, 0);
}

static int error_of(const char *buf)
{
	const struct nlmsghdr *h = (const void *)buf;
	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(h->nlmsg_seq, 77);
	return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static void netlink(void)
{
	static char buf[65536] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	socklen_t n = sizeof(a);
	CHECK(fd >= 0);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	CHECK_OK(getsockname(fd, (void *)&a, &n));
	CHECK_EQ(n, sizeof(a));
	CHECK(a.nl_pid != 0);
	struct request q = {.h = {.nlmsg_type = RTM_GETLINK}, .link = {.ifi_index = 1}};
	ssize_t got = ask(fd, &q, sizeof(q.link), buf, sizeof(buf));
	struct nlmsghdr *h = (void *)buf;
	CHECK(got > (ssize_t)NLMSG_LENGTH(sizeof(q.link)) && NLMSG_OK(h, got));
	CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
	CHECK_EQ(h->nlmsg_pid, a.nl_pid);
	CHECK_EQ(((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index, 1);
	q = (struct request){.h = {.nlmsg_type = RTM_GETLINK}, .link = {.ifi_index = 12345}};
	ask(fd, &q, sizeof(q.link), buf, sizeof(buf));
	CHECK_EQ(error_of(buf), -ENODEV);
	/* A dump ends with NLMSG_DONE; the loopback has its two addresses. */
	int found = 0;
	bool done = false;
	q = (struct request){.h = {.nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_DUMP}};
	got = ask(fd, &q, sizeof(q.gen), buf, sizeof(buf));
	while (!done && got > 0) {
		for (h = (void *)buf; NLMSG_OK(h, got); h = NLMSG_NEXT(h, got)) {
			CHECK(h->nlmsg_flags & NLM_F_MULTI);
			done = h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type == RTM_NEWADDR && ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index == 1)
				found++;
		}
		if (!done)
			got = recv(fd, buf, sizeof(buf), 0);
	}
	CHECK(done && found >= 1);
	/* Peeking for the size, as libraries do. */
	q = (struct request){.h = {.nlmsg_type = RTM_GETLINK}, .link = {.ifi_index = 1}};
	q.h.nlmsg_len = NLMSG_LENGTH(sizeof(q.link));
	q.h.nlmsg_flags = NLM_F_REQUEST;
	CHECK_EQ(send(fd, &q, q.h.nlmsg_len, 0), q.h.nlmsg_len);
	got = recv(fd, buf, 0, MSG_PEEK | MSG_TRUNC);
	CHECK(got > 100);
	CHECK_EQ(recv(fd, buf, sizeof(buf), 0), got);
	struct pollfd p = {fd, POLLIN | POLLOUT, 0};
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_ERRNO(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	q = (struct request){.h = {.nlmsg_type = 0xfff0}};
	ask(fd, &q, sizeof(q.link), buf, sizeof(buf));
	CHECK_EQ(error_of(buf), -EOPNOTSUPP);
	close(fd);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
}

static void uevents(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	char c;
	CHECK(fd >= 0);
	CHECK_OK(bind(fd, (void *)&a, sizeof(a)));
	ssize_t n = recv(fd, &c, 1, 0);
	CHECK(n == -1 ? errno == EAGAIN : getenv("ABI_SHARED_MACHINE") != NULL); /* there, devices may come and go */
	close(fd);
}

static void interfaces(void)
{
	struct ifaddrs *all, *i;
	bool four = false;
	char line[512];
	CHECK_OK(getifaddrs(&all));
	for (i = all; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !strcmp(i->ifa_name, "lo"))
			four = ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	freeifaddrs(all);
	CHECK(four);
	FILE *f = fopen("/proc/net/dev", "r");
	bool lo = false;
	REQUIRE(f);
	while (fgets(line, sizeof(line), f))
		lo = lo || strstr(line, " lo:");
	fclose(f);
	CHECK(lo);
	f = fopen("/sys/class/net/lo/mtu", "r");
	REQUIRE(f);
	CHECK(fgets(line, sizeof(line), f) && !strcmp(line, "65536\n"));
	fclose(f);
	CHECK_EQ(access("/sys/class/net/none0", F_OK), -1);
}

static void listed(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	char line[512], want[64];
	bool found = false;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_OK(bind(s, (void *)&a, sizeof(a)));
	CHECK_OK(listen(s, 3));
	CHECK_OK(getsockname(s, (void *)&a, &n));
	snprintf(want, sizeof(want), " 0100007F:%04X 00000000:0000 0A ", ntohs(a.sin_port));
	FILE *f = fopen("/proc/net/tcp", "r");
	REQUIRE(f);
	while (fgets(line, sizeof(line), f)) {
		CHECK_EQ(strlen(line), 150);
		found = found || strstr(line, want);
	}
	fclose(f);
	CHECK(found);
	close(s);
}

ABI_MAIN(ABI_TEST(ioctls), ABI_TEST(netlink), ABI_TEST(uevents), ABI_TEST(interfaces), ABI_TEST(listed))
