/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of execve(2): shared by task_exec.c, exec_*.c and elf.c only. */
#ifndef TASK_EXEC_H
#define TASK_EXEC_H

#include "fs/vfs.h"
#include "task/task.h"

#include <linux/elf.h> /* last: its EV_NONE is a macro */

#define EXEC_BUF_SIZE 256 /* bytes of the file that decide what it is (BINPRM_BUF_SIZE) */
#define EXEC_HEAD_SIZE 1024 /* bytes read at first: the headers of most programs, too */
#define EXEC_ARG_STRLEN 131072UL

/* The first bytes of a file, read once. */
struct exec_head {
	uint8_t bytes[EXEC_HEAD_SIZE]; /* zero behind n */
	size_t n;
};

struct exec_image {
	struct file *file;        /* the program (after #!); a reference; writes to it are denied */
	struct file *interp;      /* its dynamic loader or NULL; a reference; writes denied */
	Elf64_Ehdr ehdr, interp_ehdr;
	Elf64_Phdr *phdrs, *interp_phdrs; /* kmalloc'ed */
	bool stack_exec;
	bool exec_stack_known;    /* has PT_GNU_STACK */
	/* found by elf_load: */
	uint64_t entry;           /* where ring 3 starts */
	uint64_t program_entry, phdr_addr, interp_base;
	uint64_t stack_top;       /* of the stack vma */
};

/* What the new program may do: computed before the point of no return. */
struct exec_cred {
	struct cred *cred;        /* new credentials; NULL: unchanged */
	bool secure;              /* AT_SECURE */
	bool gained;              /* set-id or capabilities of a file: clears pdeath_signal, dumpable */
	bool readable;            /* who execs may read the program, and so look at it while it runs */
};

/* Opens for execution with all checks (EACCES, ETXTBSY...): a file whose writers are denied until exec_file_put. */
struct file *exec_file_open(int dfd, const char *name, uint32_t lookup_flags);
void exec_file_put(struct file *f);

/* 0 or -errno. */
int exec_read_head(struct file *f, struct exec_head *h) MUST_CHECK;
/* Reads and checks headers; opens the interpreter, whose head overwrites *h. 0 or -errno as execve(2). */
int elf_prepare(struct exec_image *x, struct exec_head *h) MUST_CHECK;
void elf_release(struct exec_image *x);
/* Maps program and interpreter into a new mm. After an error the program cannot run. */
int elf_load(struct exec_image *x, struct mm *mm) MUST_CHECK;

/* Replaces the arguments of a "#!" file: 1 if *a was rewritten for the interpreter, 0 if buf is no script. */
int exec_script(struct exec_args *a, const uint8_t *buf) MUST_CHECK;

int exec_cred_prepare(struct exec_cred *ec, const struct exec_image *x) MUST_CHECK;

/* Maps the stack and writes strings, vectors and auxv; *sp receives the initial stack pointer. */
int exec_stack_build(const struct exec_args *a, struct exec_image *x, struct mm *mm, const struct cred *cred, bool secure,
                     uint64_t *sp) MUST_CHECK;
/* Bytes that strings and vectors may take together. */
uint64_t exec_arg_limit(void);
void exec_args_free(struct exec_args *a);

#endif
