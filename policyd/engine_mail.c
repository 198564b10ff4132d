/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine_internal.h"

/* Where a jail counts it. */
static size_t tell(const struct engine *engine, const struct origin *origin,
                   const struct handin *handin, unsigned kind, unsigned weight,
                   struct event *event_r)
{
    *event_r = (struct event){
        .kind = kind,
        .login = handin->login,
        .fingerprint = "",
        .weight = weight,
        .is_of_mail = true,
        .protocol = "smtp",
        .recipient = handin->recipient,
        .session = handin->instance,
    };
    return engine_counts(engine, origin, kind, handin->login);
}

/* Where Postfix asks at the end of the data alone, only the number of its recipients is known. */
static bool is_first_told_of(const struct engine *engine, const struct handin *handin)
{
    return handin->kind == CONFIG_EVENT_MESSAGE && handin->recipient_count &&
           !once_is_noted(engine->once, handin->instance, CONFIG_EVENT_RECIPIENT, "");
}

/* Both limits are checked at a recipient already: before the message is taken. */
static struct limit limit_of(const struct engine *engine, const struct origin *origin,
                             const struct handin *handin, bool is_first)
{
    unsigned kinds = handin->kind == CONFIG_EVENT_RECIPIENT || is_first
                         ? CONFIG_EVENTS_OF_SUBMISSION
                         : CONFIG_EVENT_MESSAGE;
    struct limit limit = {0};
    int64_t wait_ms;

    limit.jail = jails_limit(&engine->jails, origin, kinds, handin->login,
                             engine_now_mono_ms(engine), &wait_ms);
    limit.seconds = (uint64_t)(wait_ms + 999) / 1000;
    return limit;
}

static void note(struct engine *engine, const struct handin *handin)
{
    once_note(engine->once, handin->instance, handin->kind, handin->recipient);
    if (!once_is_noted(engine->once, handin->instance, CONFIG_EVENT_RECIPIENT, ""))
        once_note(engine->once, handin->instance, CONFIG_EVENT_RECIPIENT, "");
}

size_t engine_hand_in(struct engine *engine, const struct origin_peer *peer,
                      const struct handin *handin, struct event events_r[HANDIN_EVENTS_MAX],
                      struct limit *limit_r)
{
    size_t count = 0;

    *limit_r = (struct limit){0};
    if (!engine_wants(engine, CONFIG_EVENTS_OF_SUBMISSION) || !*handin->instance ||
        once_is_noted(engine->once, handin->instance, handin->kind, handin->recipient))
        return 0;
    struct origin origin = origin_find(engine->rules, peer);
    bool is_first = is_first_told_of(engine, handin);
    *limit_r = limit_of(engine, &origin, handin, is_first);
    if (limit_r->jail && engine->config->enforce)
        return 0;
    note(engine, handin);
    if (limit_r->jail)
        return 0;
    if (is_first)
        count += tell(engine, &origin, handin, CONFIG_EVENT_RECIPIENT, handin->recipient_count,
                      &events_r[count]);
    return count + tell(engine, &origin, handin, handin->kind, 1, &events_r[count]);
}
