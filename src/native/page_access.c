/* SPDX-License-Identifier: MIT
 *
 * /proc/self/maps has a line for each mapping, "begin-end rwxp …", in order.  It is read
 * in pieces and without allocating; a line's rest may lie in the next piece.
 */
#include "native/page_access.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

typedef struct maps_reader {
    enum { IN_BEGIN, IN_END, IN_ACCESS, IN_REST } where;
    uintptr_t begin;
    uintptr_t end;
    unsigned int letters; /* of the access that have been read */
    bool is_writable;
    bool is_found;
} maps_reader;

static uintptr_t with_digit(uintptr_t number, char digit)
{
    return number << 4 | (uintptr_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void read_letter(maps_reader *reader, char letter, uintptr_t address)
{
    switch (reader->where) {
    case IN_BEGIN:
        if (letter == '-')
            reader->where = IN_END;
        else
            reader->begin = with_digit(reader->begin, letter);
        break;
    case IN_END:
        if (letter == ' ')
            reader->where = IN_ACCESS;
        else
            reader->end = with_digit(reader->end, letter);
        break;
    case IN_ACCESS:
        if (reader->letters++ != 1)
            break;
        reader->is_writable = letter == 'w';
        reader->is_found = reader->begin <= address && address < reader->end;
        reader->where = IN_REST;
        break;
    case IN_REST:
        if (letter == '\n')
            *reader = (maps_reader){0};
        break;
    }
}

bool mw_page_is_writable(uintptr_t address)
{
    maps_reader reader = {0};
    char piece[1024];
    ssize_t length = 0;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return false;
    while (!reader.is_found && (length = read(file, piece, sizeof piece)) > 0)
        for (ssize_t i = 0; i < length && !reader.is_found; i++)
            read_letter(&reader, piece[i], address);
    close(file);
    return reader.is_found && reader.is_writable;
}
