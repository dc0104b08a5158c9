// SPDX-License-Identifier: Apache-2.0
/* Interfaces, addresses and routes for /proc/net and /sys: of the loopback, or asked of the host. */
#include "boot/boot.h"
#include "lib/string.h"
#include "net/host_sock.h"
#include "net/netlink.h"

#define ANSWER_MAX 32768

static ssize_t_ talk(struct socket *s, void *buf, size_t len, bool send)
{
	struct iter it;
	struct sock_msg m = {.iter = &it};
	iter_kernel(&it, buf, len, !send);
	return send ? s->ops->sendmsg(s, &m) : s->ops->recvmsg(s, &m);
}

/* Takes the messages of one answer over, but for the end of the dump. 1: that came, 0: go on, or -errno. */
static int collect(const struct nlbuf *answer, struct nlbuf *out)
{
	const struct nlmsghdr *h;
	size_t off = 0;
	while ((h = nlbuf_next(answer, &off))) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		nlbuf_put(out, h, h->nlmsg_len);
	}
	return answer->len ? 0 : -EIO;
}

static int ask_host(uint16_t type, uint8_t family, struct nlbuf *out)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg body; /* the longest of what dumps start with */
	} req = {.h = {.nlmsg_len = sizeof(req), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	struct nlbuf answer = {.data = kmalloc(ANSWER_MAX), .cap = ANSWER_MAX};
	struct socket *s;
	int err = answer.data ? host_sock_create(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &s) : -ENOMEM;
	if (err) {
		kfree(answer.data);
		return err;
	}
	req.body.ifi_family = family;
	ssize_t_ n = talk(s, &req, sizeof(req), true);
	while (n >= 0 && !err) {
		n = talk(s, answer.data, ANSWER_MAX, false);
		answer.len = n > 0 ? (size_t)n : 0;
		err = n < 0 ? (int)n : collect(&answer, out);
	}
	s->ops->release(s);
	kfree(answer.data);
	return n < 0 ? (int)n : err < 0 ? err : 0;
}

int rtnl_dump(struct net_ns *net, uint16_t type, uint8_t family, struct nlbuf *out)
{
	bool host = boot.host_network && net == &init_net_ns;
	int err = host ? ask_host(type, family, out) : rtnl_dump_loopback(type, family, out);
	return out->failed ? -ENOMEM : err;
}
