/* SPDX-License-Identifier: MIT
 *
 * The common case costs no copy: an ASCII str is its own UTF-8.  Other strings are
 * encoded aside, because asking the str itself would leave a copy in it for as long as
 * it lives, which a tracer must not do to the strings of its host.
 */
#include "pyext/utf8.h"

#include <string.h>

int mw_utf8_init(mw_utf8 *utf8, PyObject *text)
{
    *utf8 = (mw_utf8){0};
    if (PyUnicode_IS_ASCII(text)) {
        utf8->bytes = (const char *)PyUnicode_1BYTE_DATA(text);
        utf8->length = (size_t)PyUnicode_GET_LENGTH(text);
        return 0;
    }
    utf8->owner = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    if (utf8->owner == NULL)
        return -1;
    utf8->bytes = PyBytes_AS_STRING(utf8->owner);
    utf8->length = (size_t)PyBytes_GET_SIZE(utf8->owner);
    return 0;
}

void mw_utf8_done(mw_utf8 *utf8)
{
    Py_CLEAR(utf8->owner);
}

/* Writes one code point as 1 to 4 bytes, surrogates as any other. */
static size_t encode(Py_UCS4 code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    bytes[0] = (char)(0xf0 | code >> 18);
    bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

size_t mw_utf8_copy(PyObject *text, char *ret_bytes, size_t capacity)
{
    Py_ssize_t count = PyUnicode_GET_LENGTH(text);
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    size_t length = 0;

    for (Py_ssize_t i = 0; i < count; i++) {
        char bytes[4];
        size_t size = encode(PyUnicode_READ(kind, data, i), bytes);

        if (length + size > capacity)
            break;
        memcpy(ret_bytes + length, bytes, size);
        length += size;
    }
    return length;
}

PyObject *mw_utf8_to_str(const char *bytes, size_t length)
{
    return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)length, "surrogatepass");
}
