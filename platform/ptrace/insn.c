/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an instruction that faulted on its memory operand read or write it? Only to save a second fault: the answer 1
 * or 0 must be right, -1 is always allowed. 64-bit mode (SDM vol. 2, appendix A; AVX and others by prefix are unknown,
 * except the common moves).
 */
#include "ptrace/ptrace_impl.h"

/* One-byte opcodes with a ModRM operand in memory. */
static int one_byte(uint8_t op, unsigned reg)
{
	if (op < 0x40) {
		switch (op & 7) {
		case 0:
		case 1:
			return op < 0x38; /* op r/m, r: all but cmp store */
		case 2:
		case 3:
			return 0;
		default:
			return -1;
		}
	}
	switch (op) {
	case 0x63: /* movsxd */
	case 0x69:
	case 0x6b: /* imul */
	case 0x84:
	case 0x85: /* test */
	case 0x8a:
	case 0x8b: /* mov r, r/m */
		return 0;
	case 0x80:
	case 0x81:
	case 0x83: /* group 1: /7 is cmp */
		return reg != 7;
	case 0x86:
	case 0x87: /* xchg */
	case 0x88:
	case 0x89: /* mov r/m, r */
	case 0xc0:
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3: /* shifts */
		return 1;
	case 0xc6:
	case 0xc7:
		return reg == 0 ? 1 : -1;
	case 0xf6:
	case 0xf7: /* test, not, neg, mul, div */
		return reg == 2 || reg == 3;
	case 0xfe:
		return reg < 2 ? 1 : -1;
	case 0xff: /* inc, dec; call, jmp and push read the operand but call and push also write the stack */
		return reg < 2 ? 1 : reg == 4 ? 0 : -1;
	default:
		return -1;
	}
}

/* 0f xx with a ModRM operand in memory. */
static int two_byte(uint8_t op, unsigned reg)
{
	switch (op) {
	case 0x10:
	case 0x12:
	case 0x16:
	case 0x28:
	case 0x2a:
	case 0x2c:
	case 0x2d:
	case 0x2e:
	case 0x2f:
	case 0x6e:
	case 0x6f: /* loads into vector registers */
	case 0xa3: /* bt */
	case 0xaf: /* imul */
	case 0xb6:
	case 0xb7:
	case 0xbc:
	case 0xbd:
	case 0xbe:
	case 0xbf: /* movzx, movsx, bsf, bsr */
		return 0;
	case 0x11:
	case 0x13:
	case 0x17:
	case 0x29:
	case 0x2b:
	case 0x7f:
	case 0xe7: /* stores from vector registers, non-temporal ones too */
	case 0xc3: /* movnti */
	case 0xab:
	case 0xb3:
	case 0xbb: /* bts, btr, btc */
	case 0xb0:
	case 0xb1: /* cmpxchg */
	case 0xc0:
	case 0xc1: /* xadd */
		return 1;
	case 0xba:
		return reg == 4 ? 0 : reg > 4 ? 1 : -1;
	case 0xc7:
		return reg == 1 ? 1 : -1; /* cmpxchg8b/16b */
	case 0xd6:
		return -1; /* movq store with 66 only */
	default:
		if ((op & 0xf0) == 0x40) /* cmov */
			return 0;
		if ((op & 0xf0) == 0x90) /* setcc */
			return 1;
		if ((op >= 0x58 && op <= 0x5f) || op == 0x51 || (op >= 0x54 && op <= 0x57)) /* SSE arithmetic */
			return 0;
		return -1;
	}
}

int pt_insn_writes_memory(const uint8_t *code, unsigned len)
{
	unsigned i = 0;
	bool rep = false;
	int map = 1;

	while (i < len && (code[i] == 0x66 || code[i] == 0xf2 || code[i] == 0xf3 || code[i] == 0xf0 || code[i] == 0x2e ||
			      code[i] == 0x3e || code[i] == 0x64 || code[i] == 0x65 || code[i] == 0x67)) {
		rep |= code[i] == 0xf3 || code[i] == 0xf2;
		i++;
	}
	if (i < len && (code[i] & 0xf0) == 0x40)
		i++;
	if (i + 2 > len)
		return -1;
	if (code[i] == 0xaa || code[i] == 0xab) /* stos */
		return 1;
	if (code[i] == 0xac || code[i] == 0xad || code[i] == 0xae || code[i] == 0xaf) /* lods, scas */
		return 0;
	if ((code[i] & 0xf8) == 0x50) /* push */
		return 1;
	if ((code[i] & 0xf8) == 0x58) /* pop into a register */
		return 0;
	if (code[i] == 0xe8) /* call */
		return 1;
	if (code[i] == 0xc3 || code[i] == 0xc9) /* ret, leave */
		return 0;
	if (code[i] == 0xc5 && i + 4 <= len) { /* VEX, two bytes: map 1 */
		i += 2;
		map = 2;
	} else if (code[i] == 0xc4 && i + 5 <= len && (code[i + 1] & 0x1f) == 1) {
		i += 3;
		map = 2;
	} else if (code[i] == 0x0f) {
		i++;
		map = 2;
	} else if (code[i] == 0x62 || code[i] == 0xc4 || code[i] == 0xc5 || code[i] == 0x8f) {
		return -1;
	}
	if (i + 2 > len || code[i + 1] >> 6 == 3) /* no memory operand */
		return -1;
	return map == 1 ? one_byte(code[i], code[i + 1] >> 3 & 7) : two_byte(code[i], code[i + 1] >> 3 & 7);
}
