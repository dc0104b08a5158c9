/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Sentry that was taken over may try, in the order of its table: A(name, end, text). The image finds which one is meant
 * in its struct vcpu, as the number of vCPUs less HOSTILE_FIRST. end: ENDS, by itself, and the reason has the text in it; or LIVES
 * until the sandbox is ended from outside.
 */
#ifndef HOSTILE_ATTACKS_H
#define HOSTILE_ATTACKS_H

#define HOSTILE_FIRST 2

/* Offsets into struct vcpu. */
#define VCPU_COUNT   4
#define VCPU_KICK    40
#define VCPU_MODE    44
#define VCPU_PREEMPT 56
#define VCPU_USES    72

#define ATTACKS(A) \
	A(hlt, ENDS, "HLT") \
	A(triple_fault, ENDS, "triple fault") \
	A(other_port, ENDS, "port 0x80") \
	A(in_port, ENDS, "port 0x40") \
	A(wide_out, ENDS, "port 0x40") \
	A(string_out, ENDS, "") \
	A(string_in, ENDS, "port 0x40") \
	A(out_with_interrupts, ENDS, "port 0x40") \
	A(ring3_out, ENDS, "port 0x40") \
	A(memory_read, ENDS, "no memory") \
	A(memory_write, ENDS, "no memory") \
	A(memory_string, ENDS, "no memory") \
	A(memory_locked, ENDS, "") \
	A(memory_fetch, ENDS, "") \
	A(memory_beyond, ENDS, "") \
	A(write_text, ENDS, "no memory") \
	A(tables_nowhere, ENDS, "") \
	A(tables_garbage, ENDS, "") \
	A(stack_nowhere, ENDS, "") \
	A(cr0_garbage, ENDS, "") \
	A(cr4_garbage, ENDS, "triple fault") \
	A(cr8_garbage, ENDS, "triple fault") \
	A(efer_garbage, ENDS, "triple fault") \
	A(lstar_garbage, ENDS, "") \
	A(msr_storm, ENDS, "HLT") \
	A(cpuid_storm, ENDS, "HLT") \
	A(real_mode, ENDS, "HLT") \
	A(debug_registers, ENDS, "triple fault") \
	A(hypervisor, ENDS, "triple fault") \
	A(vmcalls, ENDS, "HLT") \
	A(kick_without_gates, ENDS, "triple fault") \
	A(hostcalls, ENDS, "HLT") \
	A(guard, ENDS, "HLT") \
	A(bad_panic, ENDS, "panicked: (no message)") \
	A(other_vcpu, ENDS, "vCPU 1: HLT") \
	A(ring_of_events, ENDS, "HLT") \
	A(loop, LIVES, "") \
	A(loop_with_interrupts, LIVES, "") \
	A(loop_of_yields, LIVES, "") \
	A(loop_of_kicks, LIVES, "") \
	A(loop_of_deadlines, LIVES, "") \
	A(idle, LIVES, "")

#endif
