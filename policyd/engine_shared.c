/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "policyd/engine_internal.h"

/* What one jail makes of the event. */
struct shared_item {
    struct prefix key;
    struct store_hit_jail how;
    bool is_look; /* for memory to know it: nothing follows */
    bool is_sent;
    bool was_reached; /* in memory, before the store answered */
    enum jail_decision decision;
    uint64_t count;
};

struct shared_event {
    struct engine *engine;
    struct engine_report report;
    struct event event; /* its texts, and its origin, are copies */
    struct origin origin;
    struct config_gateway *gateway; /* of the origin: its name */
    int64_t age_ms;
    int64_t asked_mono_ms;
    struct shared_item *items; /* in the order of the jails */
    size_t count;
    size_t undecided; /* hits of which no word was said; then who asked is answered */
    size_t due;       /* hits of which another word comes; then it is freed */
    bool is_of_asker; /* engine_look() */
    bool is_unheard;  /* not all hits were answered when each had its first word */
    struct shared_hit *hits;
    struct shared_event *prev, *next; /* of all that are on their way */
};

/* The items of one key. */
struct shared_hit {
    struct shared_event *shared;
    struct shared_hit *next;
    bool is_decided;
    size_t count;
    uint32_t items[]; /* which */
};

static char *copy_of(const char *text)
{
    return text ? x_strdup(text) : NULL;
}

static struct shared_event *new_event(struct engine *engine)
{
    struct shared_event *shared = x_calloc(1, sizeof(*shared));

    shared->engine = engine;
    shared->report.event = &shared->event;
    shared->report.done = engine_nobody_waits;
    shared->asked_mono_ms = engine_now_mono_ms(engine);
    shared->next = engine->shared;
    if (shared->next)
        shared->next->prev = shared;
    engine->shared = shared;
    return shared;
}

/* The configuration that the gateway is of may be gone when the answer comes. */
static void copy_origin(struct shared_event *shared, const struct origin *origin)
{
    shared->origin = *origin;
    shared->event.origin = &shared->origin;
    if (!origin->gateway)
        return;
    shared->gateway = x_calloc(1, sizeof(*shared->gateway));
    shared->gateway->name = copy_of(origin->gateway->name);
    shared->origin.gateway = shared->gateway;
}

struct shared_event *shared_event_new(struct engine *engine, const struct engine_report *report,
                                      int64_t age_ms)
{
    struct shared_event *shared = new_event(engine);
    const struct event *event = report->event;

    shared->report = *report;
    shared->report.event = &shared->event;
    shared->event = *event;
    shared->event.login = copy_of(event->login);
    shared->event.session = copy_of(event->session);
    shared->event.protocol = copy_of(event->protocol);
    shared->event.fingerprint = "";
    shared->event.recipient = NULL;
    copy_origin(shared, event->origin);
    shared->age_ms = age_ms;
    return shared;
}

static void free_event(struct shared_event *shared)
{
    struct shared_hit *next = NULL;

    if (shared->prev)
        shared->prev->next = shared->next;
    else
        shared->engine->shared = shared->next;
    if (shared->next)
        shared->next->prev = shared->prev;
    for (struct shared_hit *hit = shared->hits; hit; hit = next) {
        next = hit->next;
        free(hit);
    }
    free((char *)shared->event.login);
    free((char *)shared->event.session);
    free((char *)shared->event.protocol);
    if (shared->gateway)
        free(shared->gateway->name);
    free(shared->gateway);
    free(shared->items);
    free(shared);
}

void shared_free_all(struct engine *engine)
{
    struct shared_event *next = NULL;

    for (struct shared_event *shared = engine->shared; shared; shared = next) {
        next = shared->next;
        free_event(shared);
    }
}

static struct shared_item *add_item(struct shared_event *shared, size_t index,
                                    const struct prefix *key, const struct store_hit_jail *how)
{
    const struct jails *jails = &shared->engine->jails;

    shared->items = x_reallocarray(shared->items, shared->count + 1, sizeof(*shared->items));
    struct shared_item *item = &shared->items[shared->count++];
    *item = (struct shared_item){.key = *key, .how = *how, .is_look = true};
    item->how.jail = jails->ids[index];
    item->how.by.findtime_ms = (int64_t)jails->counted[index].findtime_sec * 1000;
    return item;
}

static void add_look(struct shared_event *shared, size_t index, const struct prefix *key)
{
    add_item(shared, index, key, &(struct store_hit_jail){0});
}

void shared_event_add(struct shared_event *shared, const struct event *event, size_t index,
                      const struct prefix *key)
{
    const struct config_jail *jail = &shared->engine->config->jails[index];
    bool is_asked_later = jail->action == JAIL_ACTION_DELAY || jail->action == JAIL_ACTION_DEFER;
    struct prefix net = jail_is_by_login(jail) ? *key : jail_net(jail, &event->client);
    struct store_hit_jail how = {
        .by = jail_count_of(jail, event),
        .forgets = jail->action == JAIL_ACTION_BAN,
        .tells_others = is_asked_later,
    };

    /* Whom the others ask for may be no friend of theirs. */
    if (is_asked_later)
        how.by.limit = jail_limit(jail, false);
    add_item(shared, index, key, &how)->is_look = false;
    if (jail->action == JAIL_ACTION_BAN && jail->bantime_factor > 1)
        add_look(shared, jails_bans_of(&shared->engine->jails, index), &net);
}

/* --- what follows ------------------------------------------------------------------------ */

static size_t index_of(const struct shared_event *shared, const struct shared_item *item)
{
    return jails_find(&shared->engine->jails, item->how.jail, UINT64_MAX);
}

/* A ban there was lifted since it was asked: nothing follows from an answer. */
static bool is_of_before(const struct shared_event *shared, const struct shared_item *item)
{
    int64_t lifted = keeper_lifted_ms(shared->engine->keeper, &item->key);

    return lifted >= 0 && lifted < engine_now_mono_ms(shared->engine) - shared->asked_mono_ms;
}

/* Whether something follows from what came of it, and for which jail, if that is still there. */
static bool has_jail(const struct shared_event *shared, const struct shared_item *item,
                     size_t *index_r)
{
    *index_r = index_of(shared, item);
    return !item->is_look && *index_r < shared->engine->config->jail_count &&
           !is_of_before(shared, item);
}

static void end_report(struct engine_report *report)
{
    struct engine_request *request = report->request;

    if (request)
        keeper_end(request->change);
    else
        report->done(ENGINE_OK, "", report->ctx);
    report->request = NULL;
    report->done = engine_nobody_waits;
}

static void end_look(struct shared_event *shared)
{
    engine_done_fn done = shared->report.done;

    shared->report.done = engine_nobody_waits;
    done(shared->is_unheard ? ENGINE_UNSTORED : ENGINE_OK, "", shared->report.ctx);
}

/* In the order of the jails. */
static void conclude(struct shared_event *shared)
{
    size_t index;

    shared->engine->asked--;
    if (shared->is_of_asker) {
        end_look(shared);
        return;
    }
    shared->report.now_ms = engine_now_mono_ms(shared->engine);
    for (size_t i = 0; i < shared->count; i++) {
        const struct shared_item *item = &shared->items[i];
        if (has_jail(shared, item, &index))
            engine_take_count(shared->engine, &shared->report, index, &item->key, item->decision,
                              item->count);
    }
    end_report(&shared->report);
}

static bool is_banned(const struct shared_event *shared, const struct shared_item *item)
{
    const struct engine *engine = shared->engine;
    size_t index = index_of(shared, item);

    if (index < engine->config->jail_count && jail_is_by_login(&engine->config->jails[index]))
        return engine_find_login(engine, shared->event.login, CONFIG_ACTS_ALL);
    return bans_match(keeper_bans(engine->keeper), &shared->event.client, CONFIG_ACTS_ALL,
                      engine_now_mono_ms(engine));
}

/* Memory has counted it before, and acted where it was too many; or another has. */
static void act_late(struct shared_event *shared, const struct shared_hit *hit)
{
    size_t index;

    keeper_expire(shared->engine->keeper);
    shared->report.now_ms = engine_now_mono_ms(shared->engine);
    for (size_t i = 0; i < hit->count; i++) {
        const struct shared_item *item = &shared->items[hit->items[i]];
        if (item->decision == JAIL_REACHED && !item->was_reached && !is_banned(shared, item) &&
            has_jail(shared, item, &index))
            engine_act(shared->engine, &shared->report, index, &item->key, item->count);
    }
    end_report(&shared->report);
}

static void follow(struct engine *engine, size_t index, const struct prefix *key,
                   int64_t elapsed_ms, uint32_t current, uint32_t previous)
{
    struct counters *counters = &engine->jails.counters[index];
    int64_t now_ms = engine_now_mono_ms(engine), lifted = keeper_lifted_ms(engine->keeper, key);

    if ((current || previous) && (lifted < 0 || elapsed_ms <= lifted))
        window_follow(counters_window(counters, key, now_ms), now_ms - elapsed_ms, current,
                      previous);
    else
        counters_forget(counters, key);
}

static void take_answer(struct shared_event *shared, struct shared_item *item,
                        const struct store_hit_answer *answer)
{
    size_t index = index_of(shared, item);
    bool is_void = answer->decision == JAIL_REACHED && item->how.forgets;

    item->count = answer->count;
    item->decision = answer->decision;
    if (index < shared->engine->jails.count && !is_of_before(shared, item))
        follow(shared->engine, index, &item->key, answer->elapsed_ms, is_void ? 0 : answer->current,
               is_void ? 0 : answer->previous);
}

/* What is no event memory has noted already. */
static void count_here(struct shared_event *shared, struct shared_item *item)
{
    struct engine *engine = shared->engine;
    size_t index = index_of(shared, item);

    if (item->is_look || index >= engine->config->jail_count)
        return;
    struct window *window =
        counters_window(&engine->jails.counters[index], &item->key, engine_now_mono_ms(engine));
    item->decision = jail_count(&item->how.by, window, shared->asked_mono_ms - shared->age_ms);
    item->was_reached = item->decision == JAIL_REACHED;
    item->count = window_count(window, item->how.by.findtime_ms, engine_now_mono_ms(engine));
}

static void on_word(enum store_word word, const struct store_hit_answer *answers, void *ctx)
{
    struct shared_hit *hit = ctx;
    struct shared_event *shared = hit->shared;
    bool is_first = !hit->is_decided;

    for (size_t i = 0; i < hit->count; i++) {
        struct shared_item *item = &shared->items[hit->items[i]];
        if (word == STORE_HIT_ANSWER)
            take_answer(shared, item, &answers[i]);
        else if (is_first)
            count_here(shared, item);
    }
    hit->is_decided = true;
    shared->is_unheard |= is_first && word != STORE_HIT_ANSWER;
    shared->undecided -= is_first;
    if (is_first && !shared->undecided)
        conclude(shared);
    else if (!is_first && word == STORE_HIT_ANSWER)
        act_late(shared, hit);
    if (word == STORE_HIT_LATE)
        return;
    if (!--shared->due)
        free_event(shared);
}

/* --- on its way ---------------------------------------------------------------------------- */

static struct shared_hit *new_hit(struct shared_event *shared)
{
    size_t max = shared->count < STORE_HIT_JAILS_MAX ? shared->count : STORE_HIT_JAILS_MAX;
    struct shared_hit *hit = x_calloc(1, sizeof(*hit) + max * sizeof(*hit->items));

    hit->shared = shared;
    hit->next = shared->hits;
    shared->hits = hit;
    return hit;
}

/* Those of the key of the first that is not sent yet, and that one. */
static struct shared_hit *next_hit(struct shared_event *shared)
{
    struct shared_hit *hit = NULL;

    for (size_t i = 0; i < shared->count; i++) {
        struct shared_item *item = &shared->items[i];
        if (item->is_sent || (hit && (hit->count == STORE_HIT_JAILS_MAX ||
                                      !prefix_eq(&item->key, &shared->items[hit->items[0]].key))))
            continue;
        if (!hit)
            hit = new_hit(shared);
        hit->items[hit->count++] = (uint32_t)i;
        item->is_sent = true;
    }
    return hit;
}

static void send_one(struct shared_hit *hit)
{
    struct shared_event *shared = hit->shared;
    struct engine *engine = shared->engine;
    const struct prefix *key = &shared->items[hit->items[0]].key;
    struct store_hit_jail jails[STORE_HIT_JAILS_MAX];

    for (size_t i = 0; i < hit->count; i++)
        jails[i] = shared->items[hit->items[i]].how;
    shared->undecided++;
    shared->due++;
    engine->store->hit(engine->store,
                       &(struct store_hit){
                           .key = *key,
                           .age_ms = shared->age_ms,
                           .lifted_ms = keeper_lifted_ms(engine->keeper, key),
                           .jails = jails,
                           .count = hit->count,
                       },
                       on_word, hit);
}

bool shared_event_send(struct shared_event *shared)
{
    struct shared_hit *hit;

    if (!shared->count) {
        free_event(shared);
        return false;
    }
    shared->engine->asked++;
    while ((hit = next_hit(shared)))
        send_one(hit);
    return true;
}

/* --- beside events -------------------------------------------------------------------------- */

void shared_note_ban(struct engine *engine, size_t index, const struct prefix *net)
{
    if (!engine_is_shared(engine) || engine->config->jails[index].bantime_factor <= 1)
        return;
    struct shared_event *shared = new_event(engine);
    add_item(shared, jails_bans_of(&engine->jails, index), net,
             &(struct store_hit_jail){.by = {.limit = UINT32_MAX, .weight = 1}});
    shared_event_send(shared);
}

void shared_note_login(struct engine *engine, const struct addr *client, const char *login)
{
    if (!engine_is_shared(engine))
        return;
    struct prefix key = jails_known_key(&engine->jails, client, login);
    struct shared_event *shared = new_event(engine);
    add_item(shared, jails_known(&engine->jails), &key,
             &(struct store_hit_jail){.by = {.limit = UINT32_MAX, .weight = 1}, .begins = true});
    shared_event_send(shared);
}

void shared_look_at_login(struct engine *engine, const struct origin *origin, const char *login)
{
    const struct event event = {.client = origin->addr, .login = login};

    if (!engine_is_shared(engine) || !*login)
        return;
    struct shared_event *shared = new_event(engine);
    if (origin->kind == ORIGIN_KNOWN) {
        struct prefix key = jails_known_key(&engine->jails, &origin->addr, login);
        add_look(shared, jails_known(&engine->jails), &key);
    }
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        const struct config_jail *jail = &engine->config->jails[i];
        if (jail->action != JAIL_ACTION_DELAY ||
            !jail_applies(jail, origin->kind, CONFIG_EVENT_AUTH_FAIL, login))
            continue;
        struct prefix key = jail_key(jail, &event);
        add_look(shared, i, &key);
    }
    shared_event_send(shared);
}

/* Of all keys within a prefix none can be asked: Redis does not know which there are. */
void engine_look(struct engine *engine, const char *login, const struct prefix *prefix,
                 engine_done_fn done, void *ctx)
{
    struct shared_event *shared = new_event(engine);
    struct prefix key;

    shared->is_of_asker = true;
    shared->report.done = done;
    shared->report.ctx = ctx;
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        if (!jail_key_of(&engine->config->jails[i], login, prefix, &key))
            continue;
        if (login || key.bits <= prefix->bits)
            add_look(shared, i, &key);
        else
            shared->is_unheard = true;
    }
    if (shared->count) {
        shared_event_send(shared);
    } else {
        end_look(shared);
        free_event(shared);
    }
}

/* --- what the store says by itself ------------------------------------------------------------ */

/*
 * Whoever has one ban set after the other may spread it over all hosts. One set before, that
 * a host tells which was away, or a Redis that had lost it, is none of this minute.
 */
static bool is_of_this_minute(const struct engine *engine, const struct store_ban *record)
{
    return !*record->login && strcmp(record->jail, BANS_OPERATOR) != 0 &&
           engine_now_wall_ms(engine) - record->since_wall_ms < BAN_RATE_MS;
}

static void take_ban(const struct store_ban *record, bool is_told, void *ctx)
{
    struct engine *engine = ctx;

    keeper_expire(engine->keeper);
    enum keeper_word word = keeper_take(engine->keeper, engine->rules, record);
    if (word == KEEPER_NEW_LIFT)
        jails_forget_within(&engine->jails, &record->prefix);
    else if (word == KEEPER_NEW_BAN && is_told && is_of_this_minute(engine, record))
        engine_count_ban(engine);
}

/* It may be on its way longer than the answer to a later event: more is newer. */
static void take_window(const struct store_window *told, void *ctx)
{
    struct engine *engine = ctx;
    size_t index = jails_find(&engine->jails, told->jail, UINT32_MAX);

    if (index >= engine->jails.count)
        return;
    const struct counters *counters = &engine->jails.counters[index];
    const struct window *known = counters_look(counters, &told->key);
    int64_t now_ms = engine_now_mono_ms(engine), findtime_ms = counters->findtime_ms;
    struct window window = {
        .start_ms = now_ms - told->elapsed_ms,
        .current = told->current,
        .previous = told->previous,
    };

    if (!known ||
        window_count(&window, findtime_ms, now_ms) > window_count(known, findtime_ms, now_ms))
        follow(engine, index, &told->key, told->elapsed_ms, told->current, told->previous);
}

static void begin_sync(void *ctx)
{
    keeper_begin_sync(((struct engine *)ctx)->keeper);
}

static void end_sync(void *ctx)
{
    keeper_end_sync(((struct engine *)ctx)->keeper);
}

static bool retell(void *ctx)
{
    return keeper_retell(((struct engine *)ctx)->keeper);
}

static void break_sync(void *ctx)
{
    keeper_break_sync(((struct engine *)ctx)->keeper);
}

void shared_listen(struct engine *engine)
{
    if (engine->store->listen)
        engine->store->listen(engine->store, &(struct store_listener){
                                                 .take_ban = take_ban,
                                                 .begin_sync = begin_sync,
                                                 .end_sync = end_sync,
                                                 .retell = retell,
                                                 .break_sync = break_sync,
                                                 .take_window = take_window,
                                                 .ctx = engine,
                                             });
}
