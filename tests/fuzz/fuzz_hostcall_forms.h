/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_HOSTCALL_FORMS_H
#define TESTS_FUZZ_HOSTCALL_FORMS_H

#include <stdint.h>

#define FORM_SPACING 1024 /* bytes that a structure may take */

/* Puts a structure that hostcalls take, chosen by which, to dst; variant chooses its contents. buffer: a window address that
 * structures with pointers point to. */
void fuzz_form(void *dst, unsigned which, uint64_t buffer, unsigned variant);

#endif
