/* SPDX-License-Identifier: MIT */
#include "pyext/code_registry.h"

/* "__name__", for as long as the process lives: hooks outlive the module's state. */
static PyObject *name_key;

int mw_code_registry_init(void)
{
    if (name_key == NULL)
        name_key = PyUnicode_InternFromString("__name__");
    return name_key != NULL ? 0 : -1;
}

/* ── strings ─────────────────────────────────────────────────────────────────────── */

enum { UTF8_BYTES_MAXIMUM = 4 };

/* Lone surrogates become three bytes, as with the error handler "surrogatepass". */
static size_t encode_utf8(char *out, Py_UCS4 character)
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (char)(0xC0 | character >> 6);
        out[1] = (char)(0x80 | (character & 63));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (char)(0xE0 | character >> 12);
        out[1] = (char)(0x80 | (character >> 6 & 63));
        out[2] = (char)(0x80 | (character & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | character >> 18);
    out[1] = (char)(0x80 | (character >> 12 & 63));
    out[2] = (char)(0x80 | (character >> 6 & 63));
    out[3] = (char)(0x80 | (character & 63));
    return 4;
}

static mw_status intern_wide(mw_code_table *codes, PyObject *text, mw_string *ret_string)
{
    mw_alloc *heap = mw_alloc_pages(); /* not libc's: this runs in hooks */
    size_t length = (size_t)PyUnicode_GET_LENGTH(text);
    char *utf8 = mw_alloc_array(heap, length, UTF8_BYTES_MAXIMUM);
    size_t used = 0;
    mw_status status;

    if (utf8 == NULL)
        return MW_NO_MEMORY;
    for (size_t index = 0; index < length; index++)
        used += encode_utf8(utf8 + used,
                            PyUnicode_READ(PyUnicode_KIND(text), PyUnicode_DATA(text), index));
    status = mw_code_table_string(codes, utf8, used, ret_string);
    mw_alloc_release(heap, utf8, length * UTF8_BYTES_MAXIMUM);
    return status;
}

/* Interns a str; anything else counts as the empty string. */
static mw_status intern_text(mw_code_table *codes, PyObject *text, mw_string *ret_string)
{
    *ret_string = (mw_string){0};
    if (text == NULL || !PyUnicode_Check(text))
        return MW_OK;
    if (PyUnicode_IS_ASCII(text))
        return mw_code_table_string(codes, PyUnicode_DATA(text), (size_t)PyUnicode_GET_LENGTH(text),
                                    ret_string);
    return intern_wide(codes, text, ret_string);
}

static mw_status intern_bytes(mw_code_table *codes, PyObject *bytes, mw_string *ret_string)
{
    *ret_string = (mw_string){0};
    if (bytes == NULL || !PyBytes_Check(bytes))
        return MW_OK;
    return mw_code_table_string(codes, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes),
                                ret_string);
}

/* The name of the module whose globals a frame has, borrowed.  Looking an interned str up
 * among strs runs no Python code and allocates nothing; should a program have put a key of
 * another kind there whose comparison raises, its error must not come out of an allocator. */
static PyObject *module_name(const mw_py_frame *frame)
{
    PyObject *globals = mw_frames_globals(frame);
    bool had_error = PyErr_Occurred() != NULL;
    PyObject *name;

    if (globals == NULL || !PyDict_CheckExact(globals))
        return NULL;
    name = PyDict_GetItemWithError(globals, name_key);
    if (name == NULL && !had_error)
        PyErr_Clear();
    return name;
}

/* ── code ────────────────────────────────────────────────────────────────────────── */

static mw_status intern_code(mw_code_table *codes, PyCodeObject *code, PyObject *module,
                             mw_code *ret_code)
{
    mw_code_row row = {.first_line = code->co_firstlineno};
    mw_status status = intern_text(codes, code->co_filename, &row.file);

    if (status == MW_OK)
        status = intern_text(codes, code->co_qualname, &row.function);
    if (status == MW_OK)
        status = intern_text(codes, module, &row.module);
    if (status == MW_OK)
        status = intern_bytes(codes, code->co_linetable, &row.lines);
    if (status == MW_OK)
        status = mw_code_table_intern(codes, row, ret_code);
    return status;
}

/* The size of the block that a code object lies in, as its allocation asked for it. */
static size_t block_bytes(PyCodeObject *code)
{
    return _PyObject_VAR_SIZE(Py_TYPE(code), Py_SIZE(code));
}

/* Copies and binds a code object on first sight.  It is watched before it is bound: a
 * binding that outlived its object would lend its names to another. */
static mw_status bind_code(mw_tracer *tracer, const mw_py_frame *frame, PyCodeObject *code,
                           mw_code *ret_code)
{
    mw_status status;

    *ret_code = mw_code_table_bound(&tracer->codes, (uintptr_t)code);
    if (ret_code->index != 0)
        return MW_OK;
    status = intern_code(&tracer->codes, code, module_name(frame), ret_code);
    if (status != MW_OK)
        return status;
    mw_births_settle(tracer, (mw_guard){true}, (uintptr_t)code);
    if (!mw_block_store_watch(&tracer->blocks, (uintptr_t)code, block_bytes(code)))
        return MW_NO_MEMORY;
    return mw_code_table_bind(&tracer->codes, (uintptr_t)code, (uintptr_t)code->co_code_adaptive,
                              *ret_code);
}

static int32_t offset_in(PyCodeObject *code, uintptr_t address)
{
    return (int32_t)(intptr_t)(address - (uintptr_t)code->co_code_adaptive);
}

/* First sight of an address: interns it and binds the address to it.  One before RESUME is
 * bound as transparent, which it is in every frame but a generator's; a generator's is
 * interned each time. */
static mw_status bind_instruction(mw_tracer *tracer, const mw_py_frame *frame, PyCodeObject *code,
                                  mw_instruction *ret_instruction)
{
    uintptr_t address = mw_frames_address(frame);
    mw_code number;
    mw_status status = bind_code(tracer, frame, code, &number);

    if (status == MW_OK)
        status = mw_code_table_instruction(&tracer->codes, number, offset_in(code, address),
                                           ret_instruction);
    if (status != MW_OK)
        return status;
    if (mw_frames_is_before_resume(frame, code)) {
        if (mw_frames_is_generator(frame))
            return MW_OK;
        ret_instruction->index = MW_INSTRUCTION_TRANSPARENT;
    }
    /* Once the budget is used up, not every code object is bound. */
    if (mw_code_table_bound(&tracer->codes, (uintptr_t)code).index == 0)
        return MW_OK;
    return mw_code_table_bind_address(&tracer->codes, address, *ret_instruction);
}

mw_status mw_code_registry_instruction(mw_tracer *tracer, const mw_py_frame *frame,
                                       mw_instruction *ret_instruction)
{
    PyCodeObject *code;

    *ret_instruction = mw_code_table_find(&tracer->codes, mw_frames_address(frame));
    if (ret_instruction->index != 0 &&
        (ret_instruction->index != MW_INSTRUCTION_TRANSPARENT || !mw_frames_is_generator(frame)))
        return MW_OK;
    code = mw_frames_code(frame);
    if (code == NULL) {
        /* One of the interpreter's own frames, whose instructions are static. */
        ret_instruction->index = MW_INSTRUCTION_TRANSPARENT;
        return MW_OK;
    }
    return bind_instruction(tracer, frame, code, ret_instruction);
}

mw_status mw_code_registry_raw_instruction(mw_raw_lane *lane, const mw_py_frame *frame,
                                           mw_instruction *ret_instruction)
{
    PyCodeObject *code = mw_frames_code(frame);
    mw_code number;
    mw_status status;

    ret_instruction->index = MW_INSTRUCTION_TRANSPARENT;
    if (!mw_frames_is_complete(frame))
        return MW_OK;
    status = intern_code(&lane->codes, code, NULL, &number);
    if (status != MW_OK)
        return status;
    return mw_code_table_instruction(&lane->codes, number,
                                     offset_in(code, mw_frames_address(frame)), ret_instruction);
}
