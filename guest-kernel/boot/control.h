/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages from runsc's commands (abi/control.h): control.c takes them and answers most, control_process.c
 * those about processes, control_watch.c keeps the requests that wait for the end of a process.
 *
 * A handler fills the reply and returns 0, an error, or CONTROL_LATER when the answer will come by other ways.
 */
#ifndef BOOT_CONTROL_H
#define BOOT_CONTROL_H

#include "lib/fdt.h"
#include "lib/fdt_write.h"

struct container;
struct process;

#define CONTROL_LATER     1
#define CONTROL_REPLY_MAX 0x10000u

/* Finishes and sends a reply. more: the request stays open for another one. message may be NULL. */
void control_reply(uint32_t request, struct fdt_writer *w, int err, const char *message, bool more);
/* The container that a message names, with a reference, or NULL. */
struct container *control_container(const struct fdt *f);
static inline bool control_flag(const struct fdt *f, const char *name)
{
	uint32_t len;

	return fdt_prop(f, 0, name, &len) && (len == 0 || fdt_u32(f, 0, name, 0));
}

/* control_process.c */
int control_signal(const struct fdt *f);
int control_processes(const struct fdt *f, struct fdt_writer *w);
int control_wait(const struct fdt *f, uint32_t request);
int control_exec(const struct fdt *f, uint32_t request);
int control_create(const struct fdt *f, uint32_t request);
int control_start(const struct fdt *f, uint32_t request);
int control_pause(const struct fdt *f, bool pause);
/* Limits of a container change. */
int control_update(const struct fdt *f);

/*
 * control_watch.c. A watch is a request that is answered when its process ends; the process of an owner is killed when
 * the owner's connection closes. At most one owner per process.
 */
int control_watch(uint32_t request, struct process *p, bool owner, uint32_t host_pid) MUST_CHECK;
/* Takes the watch away without an answer; false: it has been answered. */
bool control_unwatch(uint32_t request);
/* The connection of a request has closed. */
void control_closed(uint32_t request);
/* The process of an owner's request, with a reference, or NULL. */
struct process *control_watched(uint32_t request);
/* The end of a process that has process->watched set; status as wait(2). */
void control_process_ended(struct process *p, int status);
/* Host pids of owners in c, as big-endian cells; how many. */
uint32_t control_owners(const struct container *c, uint8_t *cells, uint32_t max);

#endif
