/* SPDX-License-Identifier: MIT
 *
 * Collapsed stacks, which flamegraph.pl and its many kin read: a line for each stack, from
 * the oldest frame to the most recent, with semicolons between them, and its bytes.  With
 * something to compare with, two columns as difffolded.pl writes them: before and now.
 *
 * The text of a stack is kept while one goes down the tree: of the next stack only the
 * frames that differ are written into it.
 */
#include "render/frame_names.h"
#include "render/renderer.h"

typedef struct stack_text {
    mw_buffer text;    /* the frames of the current stack              */
    uint32_t *lengths; /* owned; by depth: how long the text is so far */
    uint32_t depths;   /* of `lengths`                                 */
} stack_text;

static mw_status stack_text_init(stack_text *stack, const mw_call_tree *tree, mw_alloc *alloc)
{
    *stack = (stack_text){.depths = tree->deepest + 1};
    mw_buffer_init(&stack->text, alloc);
    stack->lengths = mw_alloc_array(alloc, stack->depths, sizeof *stack->lengths);
    return stack->lengths == NULL ? MW_NO_MEMORY : MW_OK;
}

static void stack_text_done(stack_text *stack)
{
    mw_alloc_release(stack->text.alloc, stack->lengths, stack->depths * sizeof *stack->lengths);
    mw_buffer_done(&stack->text);
}

/* Goes to a node that is below one of the current stack. */
static void enter(stack_text *stack, const mw_call_node *node, const mw_frame_names *names)
{
    stack->text.length = stack->lengths[node->depth - 1];
    if (node->depth > 1)
        mw_sink_text(&stack->text.sink, MW_STACK_SEPARATOR);
    mw_frame_names_write(names, node->frame, &stack->text.sink);
    stack->lengths[node->depth] = stack->text.length;
}

static void write_stack(const mw_call_tree *tree, uint32_t node, const stack_text *stack,
                        mw_sink *sink)
{
    uint64_t now = tree->nodes[node].now.self_bytes;
    uint64_t before = tree->before == NULL ? 0 : tree->before[node].self_bytes;

    if (now == 0 && before == 0)
        return;
    mw_sink_bytes(sink, stack->text.bytes, stack->text.length);
    mw_sink_text(sink, " ");
    if (tree->before != NULL) {
        mw_sink_number(sink, before);
        mw_sink_text(sink, " ");
    }
    mw_sink_number(sink, now);
    mw_sink_text(sink, "\n");
}

static mw_status write_tree(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                            mw_sink *sink)
{
    mw_frame_names names;
    stack_text stack;
    mw_status status = mw_frame_names_init(&names, tree, alloc);

    if (status != MW_OK)
        return status;
    status = stack_text_init(&stack, tree, alloc);
    for (uint32_t node = 1; node < tree->node_count && status == MW_OK; node++) {
        enter(&stack, &tree->nodes[node], &names);
        status = stack.text.sink.status;
        if (status == MW_OK)
            write_stack(tree, node, &stack, sink);
    }
    stack_text_done(&stack);
    mw_frame_names_done(&names);
    return status;
}

static mw_status collapsed_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink,
                                 mw_error *reterr)
{
    static const mw_tree_drawing drawing = {.what = "the collapsed stacks", .write = write_tree};

    return mw_renderer_draw_tree(&drawing, view, alloc, sink, reterr);
}

const mw_renderer mw_renderer_collapsed = {
    .name = "collapsed",
    .extension = ".collapsed",
    .summary = "stacks in lines, for flamegraph.pl and its kin",
    .write = collapsed_write,
};
