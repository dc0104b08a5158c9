// SPDX-License-Identifier: Apache-2.0
/*
 * The XSAVE area of a task (standard format; SDM vol. 1, 13.4) as signals need it. An image that comes back from the
 * application is hostile: XRSTOR faults on unknown features, on reserved header bytes and on reserved bits of MXCSR, so
 * all of these are refused here.
 */
#include "signal/sigqueue.h"

#include "lib/fdt.h"
#include "lib/string.h"

#define FX_FCW        0
#define FX_MXCSR      24
#define FX_MXCSR_MASK 28
#define FX_ST         32
#define FX_XMM        160
#define FX_SIZE       512
#define XSAVE_HEADER  512
#define XSAVE_HEADER_SIZE 64
#define XSAVE_MIN     (XSAVE_HEADER + XSAVE_HEADER_SIZE)
#define XFEATURE_FP   1u
#define XFEATURE_SSE  2u

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void store16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof(v)); }
static void store32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }
static void store64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }

static uint8_t *area(struct task *t) { return (uint8_t *)t->uc.fpu; }

uint64_t fpstate_features(void)
{
	static uint64_t features; /* set once, to the same value by whoever comes first */
	struct fdt f;
	uint64_t v = atomic_load(&features);
	int cpus;

	if (v)
		return v;
	v = XFEATURE_FP | XFEATURE_SSE;
	if (!fdt_open(&f, direct(pa(BOOT_FDT_PA)), BOOT_FDT_MAX)) {
		cpus = fdt_child(&f, 0, "cpus");
		if (cpus >= 0)
			v |= fdt_u64(&f, cpus, "xcr0", 0);
	}
	atomic_store(&features, v);
	return v;
}

void fpstate_sync(struct task *t)
{
	uint8_t *x = area(t);
	uint64_t bv;

	task_fpu_save();
	if (t->uc.fpu_size < XSAVE_MIN)
		return;
	bv = load64(x + XSAVE_HEADER);
	if (!(bv & XFEATURE_FP)) {
		store16(x + FX_FCW, 0x37f);
		memset(x + 2, 0, FX_MXCSR - 2);
		memset(x + FX_ST, 0, FX_XMM - FX_ST);
	}
	if (!(bv & XFEATURE_SSE))
		memset(x + FX_XMM, 0, 256);
	store64(x + XSAVE_HEADER, bv | XFEATURE_FP | XFEATURE_SSE);
}

void fpstate_reset(struct task *t)
{
	uint8_t *x = area(t);
	uint32_t mask;

	fpstate_sync(t);
	mask = load32(x + FX_MXCSR_MASK);
	task_fpu_reset(t);
	store32(x + FX_MXCSR_MASK, mask);
}

static bool header_valid(const uint8_t *x)
{
	if (load64(x + XSAVE_HEADER) & ~fpstate_features())
		return false;
	for (size_t i = 8; i < 24; i += 8) /* xcomp_bv, and what XRSTOR wants to be zero too; of the rest it takes no notice */
		if (load64(x + XSAVE_HEADER + i))
			return false;
	return true;
}

int fpstate_load(struct task *t, uint8_t *buf, bool extended)
{
	uint8_t *x = area(t);
	uint32_t mask;

	fpstate_sync(t);
	mask = load32(x + FX_MXCSR_MASK);
	if (load32(buf + FX_MXCSR) & ~(mask ? mask : 0xffbfu))
		return -EINVAL;
	if (extended && !header_valid(buf))
		return -EINVAL;
	if (!extended) {
		fpstate_reset(t);
		memcpy(x, buf, FX_SIZE);
	} else {
		memcpy(x, buf, t->uc.fpu_size);
		memset(x + XSAVE_HEADER + 24, 0, XSAVE_HEADER_SIZE - 24);
	}
	store32(x + FX_MXCSR_MASK, mask);
	memset(x + FPX_SW_OFFSET, 0, sizeof(struct fpx_sw_bytes));
	return 0;
}
