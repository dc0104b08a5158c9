/* SPDX-License-Identifier: Apache-2.0 */
/* What CPUID of a virtual machine may say, on CPUs that are not at hand: KVM's answers are made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/kvm/kvm_impl.h"

#define XCR0 0x2e7
#define SIZE 2696

/* Every leaf that KVM was ever seen to list, with all bits set. */
static const struct {
	uint32_t function, index;
} leaves[] = {
	{ 0, 0 }, { 1, 0 }, { 2, 0 }, { 4, 0 }, { 4, 1 }, { 5, 0 }, { 6, 0 }, { 7, 0 }, { 7, 1 }, { 7, 2 }, { 7, 3 },
	{ 0xa, 0 },
	{ 0xb, 0 }, { 0xb, 1 }, { 0xd, 0 }, { 0xd, 1 }, { 0xd, 2 }, { 0xd, 3 }, { 0xd, 5 }, { 0xd, 6 }, { 0xd, 7 }, { 0xd, 9 },
	{ 0xd, 11 }, { 0xd, 17 }, { 0xd, 18 }, { 0xd, 19 }, { 0x12, 0 }, { 0x12, 1 }, { 0x14, 0 }, { 0x19, 0 }, { 0x1d, 0 },
	{ 0x1d, 1 }, { 0x1e, 0 }, { 0x1f, 0 }, { 0x24, 0 }, { 0x99, 0 }, { 0x40000000, 0 }, { 0x40000001, 0 }, { 0x80000000, 0 }, { 0x80000001, 0 },
	{ 0x80000008, 0 }, { 0x8000000a, 0 }, { 0x8000001e, 0 }, { 0x8000001f, 0 }, { 0x80000021, 0 }, { 0x80000022, 0 },
	{ 0xc0000001, 0 },
};
#define LEAVES (sizeof(leaves) / sizeof(leaves[0]))

static struct kvm_cpuid2 *cpuid;

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	fail();
	return NULL;
}

static int make(void **state)
{
	cpuid = calloc(1, sizeof(*cpuid) + LEAVES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -1;
	cpuid->nent = LEAVES;
	for (unsigned i = 0; i < LEAVES; i++)
		cpuid->entries[i] = (struct kvm_cpuid_entry2){ .function = leaves[i].function, .index = leaves[i].index,
			.eax = ~0u, .ebx = ~0u, .ecx = ~0u, .edx = ~0u };
	kvm_cpu_policy_apply(cpuid, XCR0, SIZE);
	return 0;
}

static int drop(void **state)
{
	free(cpuid);
	return 0;
}

static bool is_clear(uint32_t function, uint32_t index)
{
	const struct kvm_cpuid_entry2 *e = leaf(function, index);

	return !(e->eax | e->ebx | e->ecx | e->edx);
}

/* What the Sentry itself, or programs, count on. */
static void kept(void **state)
{
	assert_int_equal(leaf(7, 0)->ebx >> 0 & 1, 1);  /* FSGSBASE */
	assert_int_equal(leaf(7, 0)->ebx >> 7 & 1, 1);  /* SMEP */
	assert_int_equal(leaf(7, 0)->ebx >> 20 & 1, 1); /* SMAP */
	assert_int_equal(leaf(7, 0)->ecx >> 2 & 1, 1);  /* UMIP */
	assert_int_equal(leaf(1, 0)->ecx >> 17 & 1, 1); /* PCID */
	assert_int_equal(leaf(1, 0)->ecx >> 26 & 3, 3); /* XSAVE, OSXSAVE */
	assert_int_equal(leaf(7, 0)->ebx >> 16 & 3, 3); /* AVX512F, AVX512DQ */
	assert_int_equal(leaf(7, 0)->edx >> 23 & 1, 1); /* AVX512_FP16 */
	assert_int_equal(leaf(0x80000001, 0)->edx, ~0u);
	assert_int_equal(leaf(0, 0)->eax, ~0u);
	assert_int_equal(leaf(0x80000008, 0)->eax, 0xffff30ff); /* 48 bits of linear addresses */
}

static void hidden(void **state)
{
	assert_int_equal(leaf(7, 0)->eax, 2);
	assert_int_equal(leaf(7, 0)->ebx & (1u << 2 | 1u << 14 | 1u << 25), 0); /* SGX MPX PT */
	/* PKU OSPKE, SHSTK, LA57, MAWAU, key locker, ENQCMD, SGX_LC, PKS */
	assert_int_equal(leaf(7, 0)->ecx & (3u << 3 | 1u << 7 | 1u << 16 | 0x1fu << 17 | 1u << 23 | 7u << 29), 0);
	assert_int_equal(leaf(7, 0)->edx & (1u << 5 | 1u << 20 | 1u << 22 | 3u << 24), 0); /* UINTR, IBT, AMX */
	assert_int_equal(leaf(7, 1)->eax & (1u << 6 | 7u << 17 | 1u << 21 | 1u << 26), 0); /* LASS, FRED, AMX_FP16, LAM */
	assert_int_equal(leaf(7, 1)->edx & (1u << 8 | 1u << 21), 0);                       /* AMX_COMPLEX, APX */
	assert_true(is_clear(7, 3));
	assert_int_equal(leaf(1, 0)->ecx >> 5 & 3, 0);          /* VMX SMX */
	assert_int_equal(leaf(0x80000001, 0)->ecx >> 2 & 1, 0); /* SVM */
	assert_int_equal(leaf(0x40000001, 0)->eax, 0);
	for (unsigned i = 0; i < LEAVES; i++) {
		uint32_t f = leaves[i].function;

		if (f == 0xa || f == 0x12 || f == 0x14 || f == 0x19 || f == 0x1d || f == 0x1e || f == 0x99 || f == 0x8000000a ||
		    f == 0x8000001f || f == 0x80000022 || f == 0xc0000001)
			assert_true(is_clear(f, leaves[i].index));
	}
}

static void states(void **state)
{
	assert_int_equal(leaf(0xd, 0)->eax, XCR0);
	assert_int_equal(leaf(0xd, 0)->ebx, SIZE);
	assert_int_equal(leaf(0xd, 0)->ecx, SIZE);
	assert_int_equal(leaf(0xd, 0)->edx, 0);
	assert_int_equal(leaf(0xd, 1)->eax, 7); /* no XSAVES, no XFD */
	assert_int_equal(leaf(0xd, 1)->ecx | leaf(0xd, 1)->edx, 0);
	for (unsigned i = 0; i < LEAVES; i++)
		if (leaves[i].function == 0xd && leaves[i].index > 1)
			assert_int_equal(is_clear(0xd, leaves[i].index), !(XCR0 >> leaves[i].index & 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(kept, make, drop),
		cmocka_unit_test_setup_teardown(hidden, make, drop),
		cmocka_unit_test_setup_teardown(states, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
