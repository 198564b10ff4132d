/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_command.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define EVAL_ARGS 4 /* EVALSHA, the hash, 1, the key */

#define COUNT_MAX 24 /* of a mark, a number and the end of its line */

static char *put_count(char *out, char mark, size_t count)
{
    char digits[COUNT_MAX];
    size_t at = sizeof(digits);

    digits[--at] = '\n';
    digits[--at] = '\r';
    do
        digits[--at] = (char)('0' + count % 10);
    while (count /= 10);
    digits[--at] = mark;
    memcpy(out, digits + at, sizeof(digits) - at);
    return out + sizeof(digits) - at;
}

/* Not by hiredis, whose sprintf() for each argument is most of what a short command costs. */
struct redis_command *redis_command_new(size_t argc, const char *const *argv, const size_t *lens)
{
    struct redis_command *command = x_calloc(1, sizeof(*command));
    size_t size = COUNT_MAX;

    for (size_t i = 0; i < argc; i++)
        size += COUNT_MAX + (lens ? lens[i] : strlen(argv[i])) + strlen("\r\n");
    command->text = x_malloc(size);
    char *end = put_count(command->text, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        size_t len = lens ? lens[i] : strlen(argv[i]);
        end = put_count(end, '$', len);
        memcpy(end, argv[i], len);
        memcpy(end + len, "\r\n", 2);
        end += len + 2;
    }
    command->len = (size_t)(end - command->text);
    return command;
}

struct redis_command *redis_command_eval(const struct redis_script *script, const char *key,
                                         size_t key_len, size_t argc, const char *const *argv,
                                         const size_t *lens)
{
    const char **all = x_calloc(argc + EVAL_ARGS, sizeof(*all));
    size_t *all_lens = x_calloc(argc + EVAL_ARGS, sizeof(*all_lens));
    struct redis_command *command;

    all[0] = "EVALSHA", all_lens[0] = strlen("EVALSHA");
    all[1] = script->sha1, all_lens[1] = REDIS_SHA1_LEN;
    all[2] = "1", all_lens[2] = 1;
    all[3] = key, all_lens[3] = key_len;
    for (size_t i = 0; i < argc; i++) {
        all[EVAL_ARGS + i] = argv[i];
        all_lens[EVAL_ARGS + i] = lens ? lens[i] : strlen(argv[i]);
    }
    command = redis_command_new(argc + EVAL_ARGS, all, all_lens);
    command->script = script;
    free(all_lens);
    free(all);
    return command;
}

void redis_command_spell_out(struct redis_command *command)
{
    const struct redis_script *script = command->script;
    size_t head = strcspn(command->text, "\n") + 1; /* how many arguments: the same */
    size_t rest = head + strlen("$7\r\nEVALSHA\r\n$40\r\n") + REDIS_SHA1_LEN + strlen("\r\n");
    struct buf text;

    buf_init(&text);
    buf_put(&text, command->text, head);
    buf_printf(&text, "$4\r\nEVAL\r\n$%zu\r\n", script->len);
    buf_put(&text, script->text, script->len);
    buf_puts(&text, "\r\n");
    buf_put(&text, command->text + rest, command->len - rest);
    free(command->text);
    command->len = text.len;
    command->text = buf_steal(&text);
    command->script = NULL;
}

void redis_command_free(struct redis_command **command)
{
    if (!*command)
        return;
    if ((*command)->is_secret)
        explicit_bzero((*command)->text, (*command)->len);
    free((*command)->text);
    free(*command);
    *command = NULL;
}

void redis_queue_put(struct redis_queue *queue, struct redis_command *command)
{
    command->next = NULL;
    if (!queue->first)
        queue->end = &queue->first;
    *queue->end = command;
    queue->end = &command->next;
    queue->count++;
}

struct redis_command *redis_queue_take(struct redis_queue *queue)
{
    struct redis_command *command = queue->first;

    if (!command)
        return NULL;
    queue->first = command->next;
    queue->count--;
    return command;
}
