/* SPDX-License-Identifier: MIT */
#include "cli/capture_source.h"

#include <string.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '\f';
}

static void capture_line(mw_source *self, const char *file, int32_t line,
                         char ret_text[MW_SOURCE_LINE_BYTES])
{
    const mw_capture_source *source = (const mw_capture_source *)self;
    size_t length = 0;
    const char *text = mw_capture_source_line(source->capture, file, line, &length);

    ret_text[0] = '\0';
    if (text == NULL) {
        if (source->otherwise != NULL)
            source->otherwise->line(source->otherwise, file, line, ret_text);
        return;
    }
    for (; length != 0 && is_blank(*text); text++)
        length--;
    while (length != 0 && is_blank(text[length - 1]))
        length--;
    if (length >= MW_SOURCE_LINE_BYTES)
        length = MW_SOURCE_LINE_BYTES - 1;
    memcpy(ret_text, text, length);
    ret_text[length] = '\0';
}

void mw_capture_source_init(mw_capture_source *source, const mw_capture *capture,
                            mw_source *otherwise)
{
    *source = (mw_capture_source){
        .source.line = capture_line, .capture = capture, .otherwise = otherwise};
}
