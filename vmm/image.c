// SPDX-License-Identifier: Apache-2.0
/*
 * Loads the embedded sentry.elf.
 *
 * The file lies page-aligned in this executable, so its segments are already mapped privately from the executable file.
 * They are moved (mremap) to their place in the window: text and rodata stay backed by the file and shared by all
 * sandboxes, data becomes a private copy page by page, and no second mapping of the image remains. Section headers and
 * symbols stay where the loader put them.
 */
#define _GNU_SOURCE
#include "vmm/image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "vmm/vmm_impl.h"

extern const uint8_t image_blob_start[], image_blob_end[];

static struct {
	struct sentry_header header; /* copy: the original is in rodata of the image */
	const Elf64_Sym *symtab;
	unsigned nr_symbols;
	const char *strtab;
	uint64_t strtab_size;
} image;

static int bad(const char *what)
{
	vmm_log(LOG_ERR, "the embedded Sentry image is damaged: %s", what);
	return -ENOEXEC;
}

static uint64_t page_up(uint64_t v) { return (v + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1); }

/* Symbols are a convenience: without them backtraces show addresses. */
static void find_symbols(const Elf64_Ehdr *eh)
{
	uint64_t size = image_blob_end - image_blob_start;
	const Elf64_Shdr *sh = (const void *)(image_blob_start + eh->e_shoff);

	if (eh->e_shoff > size || eh->e_shentsize != sizeof(*sh) || eh->e_shnum > (size - eh->e_shoff) / sizeof(*sh))
		return;
	for (unsigned i = 0; i < eh->e_shnum; i++) {
		const Elf64_Shdr *str;
		if (sh[i].sh_type != SHT_SYMTAB || sh[i].sh_link >= eh->e_shnum)
			continue;
		str = &sh[sh[i].sh_link];
		if (sh[i].sh_offset > size || sh[i].sh_size > size - sh[i].sh_offset || str->sh_offset > size ||
		    str->sh_size > size - str->sh_offset)
			return;
		image.symtab = (const void *)(image_blob_start + sh[i].sh_offset);
		image.nr_symbols = sh[i].sh_size / sizeof(Elf64_Sym);
		image.strtab = (const char *)image_blob_start + str->sh_offset;
		image.strtab_size = str->sh_size;
		return;
	}
}

/* A small image may have its symbols on a page of a segment, which is about to leave. */
static void forget_symbols_in(const uint8_t *start, uint64_t len)
{
	const uint8_t *sym = (const uint8_t *)image.symtab, *str = (const uint8_t *)image.strtab;

	if ((sym < start + len && sym + image.nr_symbols * sizeof(Elf64_Sym) > start) ||
	    (str < start + len && str + image.strtab_size > start))
		image.nr_symbols = 0;
}

static int load_segment(const Elf64_Phdr *ph)
{
	int prot = (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);
	/* A writable segment's last page holds other parts of the file behind it, where bss must be zero: copied. */
	uint64_t moved = prot & PROT_WRITE ? ph->p_filesz & ~(PAGE_SIZE - 1) : page_up(ph->p_filesz);
	uint64_t mem_len = page_up(ph->p_memsz);
	uint8_t *at = (uint8_t *)ph->p_vaddr;

	if (ph->p_vaddr & (PAGE_SIZE - 1) || ph->p_offset & (PAGE_SIZE - 1) || ph->p_vaddr < IMAGE_BASE ||
	    ph->p_memsz > IMAGE_MAX_SIZE || ph->p_vaddr + mem_len > IMAGE_BASE + IMAGE_MAX_SIZE ||
	    ph->p_filesz > ph->p_memsz || ph->p_offset + ph->p_filesz > (uint64_t)(image_blob_end - image_blob_start))
		return bad("a segment lies outside its place");
	if (mem_len > moved &&
	    mmap(at + moved, mem_len - moved, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	if (ph->p_filesz > moved)
		memcpy(at + moved, image_blob_start + ph->p_offset + moved, ph->p_filesz - moved);
	if (!moved)
		return 0;
	forget_symbols_in(image_blob_start + ph->p_offset, moved);
	if (mremap((void *)(image_blob_start + ph->p_offset), moved, moved, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
		return -errno;
	return mprotect(at, moved, prot) ? -errno : 0;
}

static int check_header(void)
{
	const struct sentry_header *h = &image.header;

	memcpy(&image.header, (const void *)IMAGE_BASE, sizeof(image.header));
	if (h->magic != SENTRY_MAGIC)
		return bad("no header");
	if (h->version != SENTRY_VERSION)
		return bad("it is of another version");
	if (h->text_end <= IMAGE_BASE || h->rodata_end < h->text_end || h->image_end < h->rodata_end ||
	    h->image_end > IMAGE_BASE + IMAGE_MAX_SIZE || h->entry < IMAGE_BASE || h->entry >= h->text_end ||
	    h->ex_start < IMAGE_BASE || h->ex_end < h->ex_start || h->ex_end > h->image_end)
		return bad("its header names addresses outside it");
	return 0;
}

int image_load(void)
{
	const Elf64_Ehdr *eh = (const void *)image_blob_start;
	uint64_t size = image_blob_end - image_blob_start;
	Elf64_Phdr ph[8];
	int rc;

	if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_machine != EM_X86_64 ||
	    eh->e_type != ET_EXEC || eh->e_phentsize != sizeof(ph[0]) || eh->e_phnum > sizeof(ph) / sizeof(ph[0]) ||
	    eh->e_phoff > size || eh->e_phnum * sizeof(ph[0]) > size - eh->e_phoff)
		return bad("not an ELF executable of this machine");
	find_symbols(eh);
	/* The headers may share a page with a segment that is about to move. */
	memcpy(ph, image_blob_start + eh->e_phoff, eh->e_phnum * sizeof(ph[0]));
	for (unsigned n = eh->e_phnum, i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		rc = load_segment(&ph[i]);
		if (rc) {
			vmm_log(LOG_ERR, "cannot place the Sentry image: %s", strerror(-rc));
			return rc;
		}
	}
	return check_header();
}

const struct sentry_header *image_header(void) { return &image.header; }

bool image_is_text(uint64_t addr) { return addr >= IMAGE_BASE && addr < image.header.text_end; }

uint64_t image_fixup(uint64_t rip)
{
	const struct ex_entry *e = (const void *)image.header.ex_start, *end = (const void *)image.header.ex_end;

	if (!image_is_text(rip))
		return 0;
	for (; e < end; e++)
		if (rip >= e->start && rip < e->end && image_is_text(e->fixup))
			return e->fixup;
	return 0;
}

const char *image_symbol(uint64_t addr, uint64_t *offset)
{
	const Elf64_Sym *best = NULL;

	for (unsigned i = 0; i < image.nr_symbols; i++) {
		const Elf64_Sym *s = &image.symtab[i];
		if (ELF64_ST_TYPE(s->st_info) != STT_FUNC && ELF64_ST_TYPE(s->st_info) != STT_NOTYPE)
			continue;
		if (s->st_value <= addr && s->st_name < image.strtab_size && (!best || s->st_value > best->st_value))
			best = s;
	}
	if (!best || !image_is_text(addr))
		return NULL;
	*offset = addr - best->st_value;
	return image.strtab + best->st_name;
}
