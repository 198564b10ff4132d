/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_command.h"

#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/mem.h"

#define EVAL_ARGS 4 /* EVALSHA, the hash, 1, the key */

struct redis_command *redis_command_new(size_t argc, const char *const *argv, const size_t *lens)
{
    struct redis_command *command = x_calloc(1, sizeof(*command));
    int len =
        redisFormatCommandArgv(&command->text, (int)argc, (const char **)(uintptr_t)argv, lens);

    BUG_ON(len < 0);
    command->len = (size_t)len;
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
    free((*command)->text); /* as redisFreeCommand() does */
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
