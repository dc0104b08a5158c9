#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: undefined-stubs.sh OUTPUT OBJECT...: assembler source that defines every symbol which the objects need and none
# of them defines, as an undefined instruction, system calls as ENOSYS. Lets the Sentry link while a part of it is missing.
out=$1
shift
nm -g "$@" 2>/dev/null | awk '
	$1 == "U" { need[$2] = 1 }
	NF == 3 && $2 != "U" { have[$3] = 1 }
	END { for (s in need) if (!(s in have)) print s }' | grep -v -E '^(__ex_start|__ex_end|__text_end|__rodata_end|__image_end|_GLOBAL_OFFSET_TABLE_)$' |
	sort | awk '
	/^sys_/ { calls = calls ".globl " $1 "\n" $1 ":\n"; next }
	{ print ".globl " $1 "\n" $1 ":" }
	END { print "ud2\n" calls "mov $-38, %rax\nret\n.section .note.GNU-stack,\"\",@progbits" }' > "$out"
