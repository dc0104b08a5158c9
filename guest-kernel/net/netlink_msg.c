// SPDX-License-Identifier: Apache-2.0
/* Netlink messages: writing and reading (see netlink.h). */
#include "lib/string.h"
#include "mm/page.h"
#include "net/netlink.h"

void nlbuf_free(struct nlbuf *b)
{
	kfree(b->data);
	*b = (struct nlbuf){0};
}

static uint8_t *grow(struct nlbuf *b, size_t n)
{
	if (!b->failed && b->len + n > b->cap) {
		size_t cap = MAX(2 * b->cap, b->len + n + 1024);
		uint8_t *data = krealloc(b->data, cap);
		if (data) {
			b->data = data;
			b->cap = cap;
		} else {
			b->failed = true;
		}
	}
	if (b->failed)
		return NULL;
	uint8_t *at = b->data + b->len;
	memset(at, 0, n);
	b->len += n;
	return at;
}

size_t nlbuf_begin(struct nlbuf *b, uint16_t type, uint16_t flags, uint32_t seq, uint32_t pid)
{
	size_t at = b->len;
	struct nlmsghdr h = {.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq, .nlmsg_pid = pid};
	nlbuf_put(b, &h, sizeof(h));
	return at;
}

void nlbuf_put(struct nlbuf *b, const void *data, size_t len)
{
	uint8_t *at = grow(b, NL_ALIGN(len));
	if (at)
		memcpy(at, data, len);
}

void nlbuf_attr(struct nlbuf *b, uint16_t type, const void *data, size_t len)
{
	struct rtattr a = {(unsigned short)(sizeof(a) + len), type};
	nlbuf_put(b, &a, sizeof(a));
	nlbuf_put(b, data, len);
}

void nlbuf_end(struct nlbuf *b, size_t msg)
{
	if (!b->failed)
		((struct nlmsghdr *)(b->data + msg))->nlmsg_len = (uint32_t)(b->len - msg);
}

const struct nlmsghdr *nlbuf_next(const struct nlbuf *b, size_t *off)
{
	if (b->failed || *off > b->len || b->len - *off < sizeof(struct nlmsghdr))
		return NULL;
	const struct nlmsghdr *h = (const struct nlmsghdr *)(b->data + *off);
	if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > b->len - *off)
		return NULL;
	*off += NL_ALIGN((size_t)h->nlmsg_len);
	return h;
}

const void *nl_attr_find(const struct nlmsghdr *h, size_t skip, uint16_t type, size_t *len)
{
	size_t off = sizeof(*h) + NL_ALIGN(skip);
	struct rtattr a;
	while (off + sizeof(a) <= h->nlmsg_len) {
		memcpy(&a, (const uint8_t *)h + off, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > h->nlmsg_len - off)
			return NULL;
		if ((a.rta_type & NLA_TYPE_MASK) == type) {
			*len = a.rta_len - sizeof(a);
			return (const uint8_t *)h + off + sizeof(a);
		}
		off += NL_ALIGN((size_t)a.rta_len);
	}
	return NULL;
}

uint32_t nl_attr_u32(const struct nlmsghdr *h, size_t skip, uint16_t type, uint32_t otherwise)
{
	size_t len;
	const void *p = nl_attr_find(h, skip, type, &len);
	if (p && len >= sizeof(otherwise))
		memcpy(&otherwise, p, sizeof(otherwise));
	return otherwise;
}
