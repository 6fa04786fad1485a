/* SPDX-License-Identifier: MIT
 *
 * Python's str ↔ the UTF-8 of our tables, with lone surrogates as their 3 bytes
 * ("surrogatepass"), so that nothing that can be a file name is lost.
 */
#pragma once

#include <Python.h>

typedef struct mw_utf8 {
    const char *bytes; /* valid until mw_utf8_done() or the end of the str */
    size_t length;
    PyObject *owner; /* a bytes object where the str has no UTF-8 of its own, or NULL */
} mw_utf8;

/* Borrows the UTF-8 of [text], which must be a str.  Returns 0, or -1 with an exception. */
int mw_utf8_init(mw_utf8 *utf8, PyObject *text);
void mw_utf8_done(mw_utf8 *utf8);

/* Copies what fits of [text], a str, without allocating; returns how many bytes.  For who must
 * leave no trace in what is traced. */
size_t mw_utf8_copy(PyObject *text, char *ret_bytes, size_t capacity);

PyObject *mw_utf8_to_str(const char *bytes, size_t length);
