/* SPDX-License-Identifier: MIT
 *
 * The common case costs no copy: an ASCII str is its own UTF-8.  Other strings are
 * encoded aside, because asking the str itself would leave a copy in it for as long as
 * it lives, which a tracer must not do to the strings of its host.
 */
#include "pyext/utf8.h"

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

PyObject *mw_utf8_to_str(const char *bytes, size_t length)
{
    return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)length, "surrogatepass");
}
