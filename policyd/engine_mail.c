/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine_internal.h"

/* Whether done is still to come. */
static bool report(struct engine *engine, const struct origin *origin,
                   const struct origin_peer *peer, const struct handin *handin, unsigned kind,
                   unsigned weight, engine_done_fn done, void *ctx)
{
    struct event event = {
        .kind = kind,
        .login = handin->login,
        .fingerprint = "",
        .weight = weight,
        .is_of_mail = true,
        .protocol = "smtp",
        .recipient = handin->recipient,
        .session = handin->instance,
    };

    return engine_counts(engine, origin, kind, handin->login) &&
           engine_take_event(engine, origin, peer, &event, done, ctx);
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

/* Of both, one waits for its ban: no other follows. */
static bool count(struct engine *engine, const struct origin *origin,
                  const struct origin_peer *peer, const struct handin *handin, bool is_first,
                  engine_done_fn done, void *ctx)
{
    bool waits = is_first && report(engine, origin, peer, handin, CONFIG_EVENT_RECIPIENT,
                                    handin->recipient_count, done, ctx);

    return report(engine, origin, peer, handin, handin->kind, 1, waits ? engine_nobody_waits : done,
                  ctx) ||
           waits;
}

bool engine_hand_in(struct engine *engine, const struct origin_peer *peer,
                    const struct handin *handin, engine_done_fn done, void *ctx,
                    struct limit *limit_r)
{
    *limit_r = (struct limit){0};
    if (!engine_wants(engine, CONFIG_EVENTS_OF_SUBMISSION) || !*handin->instance ||
        once_is_noted(engine->once, handin->instance, handin->kind, handin->recipient))
        return false;
    struct origin origin = origin_find(engine->rules, peer);
    bool is_first = is_first_told_of(engine, handin);
    *limit_r = limit_of(engine, &origin, handin, is_first);
    if (limit_r->jail && engine->config->enforce)
        return false;
    note(engine, handin);
    return !limit_r->jail && count(engine, &origin, peer, handin, is_first, done, ctx);
}
