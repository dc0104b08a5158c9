/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Sentry that was taken over, as hostile_guest.c runs it: one attack of hostile_attacks.h per machine. It starts as the
 * Sentry does (abi/guest.h), without GDT and IDT.
 *
 * Memory of its own, all of it RAM: tables at 32 MiB, descriptor tables at 34 MiB, code of other modes at 32 KiB.
 */
#include "abi/window.h"
#include "abi/guest.h"
#include "tests/kvm/hostile_attacks.h"

#define TABLES    0x2000000
#define GATES     0x2200000
#define LOW       0x8000
#define UNBACKED  0x3f00000000 /* where RAM would be, if there were as much */
#define BEYOND    0x10000000000

#define NR_IDLE       0
#define NR_KICK       1
#define NR_YIELD      3
#define NR_PANIC      5
#define NR_CLOCK      7
#define NR_VCPU_START 9
#define NR_WATCH      43
#define NR_GUARD      13

	.section .text.start, "ax"
	.globl sentry_entry
sentry_entry:
	cmpl	$0, (%rdi)
	jne	second
	mov	%rdi, %rbx
	mov	VCPU_COUNT(%rdi), %eax
	lea	attacks(%rip), %rdx
	lgdt	gdtr(%rip)
	jmp	*-8*HOSTILE_FIRST(%rdx, %rax, 8)

/* vCPUs but the first. */
second:
	hlt

/* Maps 16 MiB from guest-physical rdi on at address 0, for ring 3 too. */
map_at_zero:
	mov	%cr3, %rax
	movabs	$DIRECT_BASE, %rdx
	add	%rdx, %rax
	movq	$(TABLES | 7), (%rax)
	lea	TABLES(%rdx), %rax
	movq	$(TABLES + 0x1000 + 7), (%rax)
	lea	0x1000(%rax), %rax
	or	$0x87, %rdi
	mov	$8, %ecx
1:	mov	%rdi, (%rax)
	add	$0x200000, %rdi
	add	$8, %rax
	loop	1b
	mov	%cr3, %rax
	mov	%rax, %cr3
	ret

.macro MAP_AT_ZERO what
	movabs	$\what, %rdi
	call	map_at_zero
	xor	%edi, %edi
	xor	%esi, %esi
.endm

/* Copies [rsi, rsi + rcx) to LOW. */
copy_low:
	movabs	$(DIRECT_BASE + LOW), %rdi
	rep movsb
	ret

.macro HOSTCALL nr
	mov	$\nr, %eax
	out	%al, $GUEST_PORT_HOSTCALL
.endm

attack_hlt:
	hlt
attack_triple_fault:
	ud2
attack_other_port:
	out	%al, $0x80
	hlt
attack_in_port:
	in	$GUEST_PORT_HOSTCALL, %al
	hlt
attack_wide_out:
	mov	$NR_YIELD, %eax
	out	%eax, $GUEST_PORT_HOSTCALL
	hlt
/* Some KVMs take it apart into hostcalls: one YIELD, then IDLE that ends at once. */
attack_string_out:
	mov	$NR_YIELD, %eax
	xor	%edi, %edi
	mov	$GUEST_PORT_HOSTCALL, %edx
	lea	-64(%rsp), %rsi
	mov	$16, %ecx
	rep outsb
	hlt
attack_string_in:
	mov	$GUEST_PORT_HOSTCALL, %edx
	lea	-64(%rsp), %rdi
	mov	$16, %ecx
	rep insb
	hlt
attack_out_with_interrupts:
	sti
	HOSTCALL NR_YIELD
	hlt

attack_ring3_out:
	MAP_AT_ZERO 0
	lea	ring3_start(%rip), %rsi
	mov	$(ring3_end - ring3_start), %ecx
	call	copy_low
	pushq	$0x2b
	pushq	$(LOW + 0x800)
	pushq	$0x3202			/* IOPL 3, IF */
	pushq	$0x33
	pushq	$LOW
	iretq
ring3_start:
	HOSTCALL NR_YIELD
	ud2
ring3_end:

attack_memory_read:
	MAP_AT_ZERO UNBACKED
	mov	(%rsi), %rax
	hlt
attack_memory_write:
	MAP_AT_ZERO UNBACKED
	mov	%rax, 8(%rdi)
	hlt
attack_memory_string:
	MAP_AT_ZERO UNBACKED
	lea	-256(%rsp), %rdi
	mov	$256, %ecx
	rep movsb
	hlt
attack_memory_locked:
	MAP_AT_ZERO UNBACKED
	lock cmpxchg16b (%rdi)
	hlt
attack_memory_fetch:
	MAP_AT_ZERO UNBACKED
	jmp	*%rdi
attack_memory_beyond:
	MAP_AT_ZERO BEYOND
	mov	(%rsi), %rax
	hlt
attack_write_text:
	MAP_AT_ZERO IMAGE_PA
	movb	$0xf4, (%rdi)
	hlt
attack_tables_nowhere:
	movabs	$UNBACKED, %rax
	mov	%rax, %cr3
	hlt
attack_tables_garbage:
	mov	%cr3, %rax
	movabs	$DIRECT_BASE, %rdi
	add	%rax, %rdi
	mov	$512, %ecx
	mov	$-1, %rax
	rep stosq
	mov	%cr3, %rax
	mov	%rax, %cr3
	hlt
attack_stack_nowhere:
	MAP_AT_ZERO UNBACKED
	mov	$0x1000, %esp
	call	attack_hlt
	hlt

attack_cr0_garbage:
	mov	$-1, %rax
	mov	%rax, %cr0
	hlt
attack_cr4_garbage:
	mov	$-1, %rax
	mov	%rax, %cr4
	hlt
attack_cr8_garbage:
	mov	$-1, %rax
	mov	%rax, %cr8
	hlt
attack_efer_garbage:
	mov	$0xc0000080, %ecx
	mov	$-1, %eax
	mov	%eax, %edx
	wrmsr
	hlt
attack_lstar_garbage:
	mov	$0xc0000082, %ecx
	xor	%eax, %eax
	mov	$0x80000000, %edx
	wrmsr
	hlt

/* A gate for #UD, one for #GP: both go on behind the instruction, which has two bytes or, at vmcalls, three. r8 says. */
set_gates:
	movabs	$(DIRECT_BASE + GATES), %rdi
	lea	on_ud(%rip), %rax
	mov	$6, %ecx
	call	set_gate
	lea	on_gp(%rip), %rax
	mov	$13, %ecx
	call	set_gate
	lea	-16(%rsp), %rax
	movw	$0xfff, (%rax)
	mov	%rdi, 2(%rax)
	lidt	(%rax)
	ret
set_gate:
	shl	$4, %ecx
	lea	(%rdi, %rcx), %rdx
	mov	%ax, (%rdx)
	movw	$SEL_KCODE, 2(%rdx)
	movw	$0x8e00, 4(%rdx)
	shr	$16, %rax
	mov	%ax, 6(%rdx)
	shr	$16, %rax
	mov	%eax, 8(%rdx)
	movl	$0, 12(%rdx)
	ret
on_gp:
	add	$8, %rsp
on_ud:
	add	%r8, (%rsp)
	iretq

/* Ones into every register of some ranges, but where the CPU's mode and the stubs are kept. */
attack_msr_storm:
	mov	$2, %r8d
	call	set_gates
	lea	msr_ranges(%rip), %rsi
1:	mov	(%rsi), %ecx
	mov	4(%rsi), %ebx
	add	$8, %rsi
	jrcxz	9f
2:	rdmsr
	mov	$-1, %eax
	mov	%eax, %edx
	wrmsr
	mov	$0x1001, %eax
	xor	%edx, %edx
	wrmsr
	inc	%ecx
	cmp	%ebx, %ecx
	jb	2b
	jmp	1b
9:	hlt

attack_cpuid_storm:
	xor	%esi, %esi
1:	mov	%esi, %eax
	xor	%ecx, %ecx
	cpuid
	lea	0x40000000(%rsi), %eax
	cpuid
	lea	0x80000000(%rsi), %eax
	mov	$-1, %ecx
	cpuid
	inc	%esi
	cmp	$500, %esi
	jb	1b
	hlt

attack_debug_registers:
	mov	$-1, %rax
	mov	%rax, %dr0
	mov	%rax, %dr7
	hlt

/* Virtual machines of its own: the host's code for nested ones is not to be had. */
attack_hypervisor:
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x1000, %eax		/* SVME */
	wrmsr
	hlt

/* Calls of KVM's own, by both vendors' instructions, with pointers everywhere. */
attack_vmcalls:
	mov	$3, %r8d
	call	set_gates
	xor	%r12d, %r12d
1:	mov	%r12d, %eax
	mov	$-1, %rbx
	movabs	$UNBACKED, %rcx
	mov	%rcx, %rdx
	mov	%rcx, %rsi
	vmmcall
	mov	%r12d, %eax
	.byte	0x0f, 0x01, 0xc1	/* vmcall */
	inc	%r12d
	cmp	$64, %r12d
	jb	1b
	hlt

attack_kick_without_gates:
	movl	$GUEST_MODE_USER, VCPU_MODE(%rbx)
	xor	%edi, %edi
	HOSTCALL NR_KICK
	sti
1:	pause
	jmp	1b

/* All but those that end or stop it, with arguments of all kinds. */
attack_hostcalls:
	movabs	$88172645463325252, %r15
	mov	$20000, %r14d
1:	call	random
	mov	%rax, %rdi
	call	random
	mov	%rax, %rsi
	call	random
	mov	%rax, %rdx
	call	random
	mov	%rax, %r10
	call	random
	mov	%rax, %r8
	call	random
	mov	%rax, %r9
	mov	%r15, %rax
	shr	$20, %rax
	and	$127, %eax
	cmp	$96, %eax
	cmovae	%r15, %rax		/* no call's number */
	mov	$0x271, %ecx		/* IDLE, EXIT, PANIC, LOG, VCPU_START */
	cmp	$32, %rax
	jae	2f
	bt	%eax, %ecx
	jc	3f
2:	out	%al, $GUEST_PORT_HOSTCALL
3:	dec	%r14d
	jnz	1b
	hlt
/* A small number, an address in RAM or near its end, a number of many bits: rax. Keeps all else but r11 and rcx. */
random:
	mov	%r15, %rax
	shl	$13, %rax
	xor	%rax, %r15
	mov	%r15, %rax
	shr	$7, %rax
	xor	%rax, %r15
	mov	%r15, %rax
	shl	$17, %rax
	xor	%rax, %r15
	mov	%r15, %rax
	mov	%r15d, %ecx
	and	$3, %ecx
	jz	1f
	shr	$40, %rax
	cmp	$1, %ecx
	je	1f
	movabs	$DIRECT_BASE, %r11
	cmp	$2, %ecx
	jne	2f
	add	%r11, %rax
1:	ret
2:	and	$255, %eax
	ret

/* Takes away memory that hostcalls name, then names it. */
attack_guard:
	mov	$0x3000000, %edi
	mov	$1, %esi
	HOSTCALL NR_GUARD
	mov	$3, %edi
	movabs	$(DIRECT_BASE + 0x3000000), %rsi
	mov	$100, %edx
	mov	$6, %eax		/* LOG */
	out	%al, $GUEST_PORT_HOSTCALL
	hlt

attack_bad_panic:
	mov	$-8, %rdi
	mov	$-1, %rsi
	HOSTCALL NR_PANIC
	hlt

attack_other_vcpu:
	mov	$1, %edi
	HOSTCALL NR_VCPU_START
1:	pause
	jmp	1b

/* Head and tail of the ring as they cannot be, while events come. */
attack_ring_of_events:
	movabs	$(DIRECT_BASE + BOOT_SHARED_PA + PAGE_SIZE), %r12
	mov	$3000, %r13d
1:	mov	%r13d, (%r12)
	movl	$-1, 4(%r12)
	mov	$0x1000, %edi
	mov	$2, %eax		/* TIMER, in the past */
	out	%al, $GUEST_PORT_HOSTCALL
	mov	$79, %eax		/* NET_EVENTS */
	out	%al, $GUEST_PORT_HOSTCALL
	dec	%r13d
	jnz	1b
	hlt

attack_loop:
	jmp	attack_loop
attack_loop_with_interrupts:
	sti
1:	jmp	1b
attack_loop_of_yields:
	HOSTCALL NR_YIELD
	jmp	attack_loop_of_yields
attack_loop_of_kicks:
	xor	%edi, %edi
	HOSTCALL NR_KICK
	jmp	attack_loop_of_kicks
/* Deadlines that are over, stated while they are looked at. */
attack_loop_of_deadlines:
	HOSTCALL NR_WATCH
	mov	$1000, %ecx
1:	movq	$1, VCPU_PREEMPT(%rbx)
	incl	VCPU_USES(%rbx)
	pause
	loop	1b
	jmp	attack_loop_of_deadlines
attack_idle:
	movl	$0, VCPU_KICK(%rbx)
	mov	$-1, %rdi
	HOSTCALL NR_IDLE
	jmp	attack_idle

/* ---- down to real mode, with a hostcall in each ---- */
attack_real_mode:
	MAP_AT_ZERO 0
	lea	modes_start(%rip), %rsi
	mov	$(modes_end - modes_start), %ecx
	call	copy_low
	mov	$LOW, %eax
	jmp	*%rax
#define AT(label) (LOW + label - modes_start)
modes_start:
	lgdt	AT(modes_gdtr)
	pushq	$0x08
	pushq	$AT(mode32)
	lretq
	.code32
mode32:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	HOSTCALL NR_CLOCK
	ljmp	$0x18, $AT(mode16)
	.code16
mode16:
	mov	$0x20, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	%cr0, %eax
	and	$0xfe, %al
	mov	%eax, %cr0
	ljmp	$0, $AT(real)
real:
	mov	$NR_CLOCK, %eax
	out	%al, $GUEST_PORT_HOSTCALL
	hlt
	.code64
	.balign	8
modes_gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff
modes_gdtr:
	.word	. - modes_gdt - 1
	.quad	AT(modes_gdt)
modes_end:

	.section .rodata
	.balign	8
attacks:
#define POINTER(name, end, text) .quad attack_##name;
	ATTACKS(POINTER)
gdt:
	.quad	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0x00cff3000000ffff, 0x00affb000000ffff
gdtr:
	.word	. - gdt - 1
	.quad	gdt
	.balign	4
msr_ranges:
	.long	1, 0x1000, 0x40000000, 0x40000200, 0x4b564d00, 0x4b564d20, 0xc0000083, 0xc0000200, 0xc0010000, 0xc0010200, 0, 0

	.data
	.quad	0
	.section .note.GNU-stack, "", @progbits
