/* SPDX-License-Identifier: MIT
 *
 * A test subject: a library that is no extension, and reports memory to Python.
 */
#include <Python.h>

__attribute__((visibility("default"))) int late_track(unsigned int domain, uintptr_t address,
                                                      size_t size);
__attribute__((visibility("default"))) int late_untrack(unsigned int domain, uintptr_t address);

int late_track(unsigned int domain, uintptr_t address, size_t size)
{
    return PyTraceMalloc_Track(domain, address, size);
}

int late_untrack(unsigned int domain, uintptr_t address)
{
    return PyTraceMalloc_Untrack(domain, address);
}
