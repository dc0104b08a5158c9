/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ChaCha20 (RFC 8439) in a generator with fast key erasure: each request takes a fresh block stream whose first 32
 * bytes become the next key, so that earlier output cannot be computed from a later state. Seeded by the host at boot
 * and reseeded from the host's getrandom(2) every few minutes or 16 MiB.
 */
#include "task/random.h"

#include "arch/cpu.h"
#include "boot/boot.h"
#include "lib/string.h"
#include "task/lock.h"
#include "time/timer.h"

#define RESEED_NS    300000000000UL
#define RESEED_BYTES (16UL << 20)

static struct {
	spinlock_t lock;
	uint32_t key[8];       /* lock */
	uint64_t next_reseed;  /* ns; lock */
	uint64_t bytes;        /* since the last reseed; lock */
} rng;

#define ROTL(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define QUARTER(a, b, c, d) \
	do { \
		a += b; d = ROTL(d ^ a, 16); \
		c += d; b = ROTL(b ^ c, 12); \
		a += b; d = ROTL(d ^ a, 8); \
		c += d; b = ROTL(b ^ c, 7); \
	} while (0)

static void chacha_block(const uint32_t key[8], uint64_t counter, uint32_t out[16])
{
	const uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3], key[4],
		key[5], key[6], key[7], (uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
	uint32_t x[16];

	memcpy(x, in, sizeof(x));
	for (int i = 0; i < 10; i++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (int i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
}

/* Mixes bytes into the key: the new key is a block keyed with old key xor input. lock held. */
static void mix(const void *buf, size_t n)
{
	const uint8_t *b = buf;
	uint32_t block[16];

	do {
		uint8_t *k = (uint8_t *)rng.key;
		size_t step = MIN(n, sizeof(rng.key));
		for (size_t i = 0; i < step; i++)
			k[i] ^= b[i];
		chacha_block(rng.key, n, block);
		memcpy(rng.key, block, sizeof(rng.key));
		b += step;
		n -= step;
	} while (n);
	memset(block, 0, sizeof(block));
}

void random_init(void)
{
	uint64_t tsc = arch_rdtsc();

	mix(boot.seed, sizeof(boot.seed));
	mix(&tsc, sizeof(tsc));
	memset(boot.seed, 0, sizeof(boot.seed));
	rng.next_reseed = clock_monotonic() + RESEED_NS;
}

static void reseed_if_due(size_t n)
{
	uint8_t fresh[32];

	spin_lock(&rng.lock);
	rng.bytes += n;
	bool due = rng.bytes > RESEED_BYTES || (rng.bytes > 4096 && clock_monotonic() >= rng.next_reseed);
	if (due) {
		rng.bytes = 0;
		rng.next_reseed = clock_monotonic() + RESEED_NS;
	}
	spin_unlock(&rng.lock);
	if (due && hostcall2(HC_ENTROPY, fresh, sizeof(fresh)) >= 0) {
		spin_lock(&rng.lock);
		mix(fresh, sizeof(fresh));
		spin_unlock(&rng.lock);
		memset(fresh, 0, sizeof(fresh));
	}
}

void random_bytes(void *buf, size_t n)
{
	uint32_t key[8], block[16];
	uint8_t *out = buf;

	reseed_if_due(n);
	spin_lock(&rng.lock);
	chacha_block(rng.key, 0, block);
	memcpy(rng.key, block, sizeof(rng.key));
	memcpy(key, block + 8, sizeof(key)); /* this request's own stream */
	spin_unlock(&rng.lock);
	for (uint64_t counter = 1; n; counter++) {
		size_t step = MIN(n, sizeof(block));
		chacha_block(key, counter, block);
		memcpy(out, block, step);
		out += step;
		n -= step;
	}
	memset(key, 0, sizeof(key));
	memset(block, 0, sizeof(block));
	barrier();
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
