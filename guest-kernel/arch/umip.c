/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What UMIP forbids. Few programs look at descriptor tables (emulators, detectors of virtual machines), but on Linux they go
 * on. Decodes just what these five instructions can look like in 64-bit mode (SDM vol. 2, chapter 2).
 */
#include "arch/umip.h"

#include "arch/cpu.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "signal/signal.h"
#include "task/task.h"

#define INSN_MAX 15

#define DUMMY_GDT  0xfffffffffffe0000UL
#define DUMMY_IDT  0xffffffffffff0000UL
#define DUMMY_CR0  0x80050033UL
#define DUMMY_TASK 0x40UL

struct insn {
	uint8_t byte[INSN_MAX];
	unsigned n;        /* bytes that could be read */
	unsigned at;       /* next to decode */
	uint8_t rex, segment;
	bool opsize16, address32;
	uint8_t opcode, modrm;
	uint64_t address;  /* of a memory operand */
};

static bool take(struct insn *i, uint8_t *b)
{
	if (i->at >= i->n)
		return false;
	*b = i->byte[i->at++];
	return true;
}

static bool take_displacement(struct insn *i, unsigned size, int64_t *v)
{
	int32_t d = 0;

	if (i->n - i->at < size)
		return false;
	memcpy(&d, i->byte + i->at, size);
	i->at += size;
	*v = size == 1 ? (int8_t)d : d;
	return true;
}

static bool take_prefixes(struct insn *i, uint8_t *b)
{
	while (take(i, b)) {
		switch (*b) {
		case 0x64:
		case 0x65:
			i->segment = *b;
			break;
		case 0x66:
			i->opsize16 = true;
			break;
		case 0x67:
			i->address32 = true;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0xf2:
		case 0xf3:
			break;
		default:
			if ((*b & 0xf0) != 0x40)
				return true;
			i->rex = *b;
			return take(i, b);
		}
	}
	return false;
}

/* A general register by its number in the instruction set. */
static uint64_t *reg(struct user_regs *r, unsigned n)
{
	uint64_t *const regs[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi, &r->r8, &r->r9, &r->r10,
		&r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

	return regs[n & 15];
}

static unsigned rex_bit(const struct insn *i, unsigned bit) { return i->rex >> bit & 1 ? 8 : 0; }

/* Base and index of a memory operand; *rip: relative to the next instruction instead. */
static bool take_base(struct insn *i, struct user_regs *r, unsigned mod, uint64_t *sum, unsigned *disp, bool *rip)
{
	unsigned rm = i->modrm & 7;
	uint8_t sib;

	if (rm == 4) {
		if (!take(i, &sib))
			return false;
		unsigned index = (sib >> 3 & 7) | rex_bit(i, 1);
		if (index != 4)
			*sum = *reg(r, index) << (sib >> 6);
		rm = sib & 7;
		if (rm == 5 && !mod)
			*disp = 4;
		else
			*sum += *reg(r, rm | rex_bit(i, 0));
	} else if (rm == 5 && !mod) {
		*rip = true;
		*disp = 4;
	} else {
		*sum = *reg(r, rm | rex_bit(i, 0));
	}
	return true;
}

static bool take_address(struct insn *i, struct user_regs *r)
{
	unsigned mod = i->modrm >> 6, disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	bool rip = false;
	uint64_t sum = 0;
	int64_t d = 0;

	if (!take_base(i, r, mod, &sum, &disp, &rip) || !take_displacement(i, disp, &d))
		return false;
	sum += (uint64_t)d + (rip ? r->rip + i->at : 0);
	if (i->address32)
		sum = (uint32_t)sum;
	if (i->segment)
		arch_segments_save();
	i->address = sum + (i->segment == 0x64 ? r->fs_base : i->segment == 0x65 ? r->gs_base : 0);
	return true;
}

static bool decode(struct insn *i, struct user_regs *r)
{
	uint8_t b;

	if (!take_prefixes(i, &b) || b != 0x0f || !take(i, &i->opcode) || !take(i, &i->modrm))
		return false;
	return i->modrm >> 6 == 3 || take_address(i, r);
}

/* Result and its size; 0: none of the five. */
static unsigned result_of(const struct insn *i, uint8_t out[10])
{
	unsigned group = i->modrm >> 3 & 7;
	bool memory = i->modrm >> 6 != 3;
	uint64_t value;

	memset(out, 0, 10);
	if (i->opcode == 1 && group < 2 && memory) {
		value = group ? DUMMY_IDT : DUMMY_GDT;
		memcpy(out + 2, &value, sizeof(value)); /* behind a limit of zero */
		return 10;
	}
	if (!(i->opcode == 1 && group == 4) && !(i->opcode == 0 && group < 2))
		return 0;
	value = i->opcode == 1 ? DUMMY_CR0 : group ? DUMMY_TASK : 0;
	memcpy(out, &value, sizeof(value));
	return memory || i->opsize16 ? 2 : i->rex & 8 ? 8 : 4;
}

bool umip_emulate(struct task *t)
{
	struct user_regs *r = &t->uc.regs;
	struct insn i = {0};
	uint8_t out[10];
	unsigned size;

	i.n = (unsigned)copy_in_partial(i.byte, uva(r->rip), INSN_MAX);
	if (!decode(&i, r))
		return false;
	size = result_of(&i, out);
	if (!size)
		return false;
	if (i.modrm >> 6 == 3) {
		memcpy(reg(r, (i.modrm & 7) | rex_bit(&i, 0)), out, size);
	} else if (copy_out(uva(i.address), out, size)) {
		signal_fault(SIGSEGV, SEGV_MAPERR, i.address, 14, PF_USER | PF_WRITE);
		return true;
	}
	r->rip += i.at;
	return true;
}
