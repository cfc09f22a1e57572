/* redis_streams: Redis as a queue: a stream, a consumer group for each group. Over hiredis. */
#include "tests/bench/peers/peer.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW 16384 /* events without reply */
#define PIPED  512   /* commands written at once, in a flood */
#define COUNT  1000  /* events of one XREADGROUP */

static redisContext *dial(site_t *site) {
    struct timeval patience = {10, 0};
    redisContext *redis = redisConnectWithTimeout("127.0.0.1", site_port(site, 0), patience);
    if (redis && redis->err) {
        redisFree(redis);
        redis = NULL;
    }
    return redis;
}

/* Sends one command and frees its answer; whether that was no error. */
static bool ask(redisContext *redis, const char *command) {
    redisReply *reply = redisCommand(redis, command);
    bool good = reply && reply->type != REDIS_REPLY_ERROR;
    if (reply)
        freeReplyObject(reply);
    return good;
}

/* --- the server --- */

static bool is_queue(const work_t *work) {
    return work->kind == WORK_QUEUE || work->kind == WORK_BACKLOG;
}

static bool can_always(const work_t *work) {
    return is_queue(work) && work->sync;
}

static bool can_everysec(const work_t *work) {
    return is_queue(work) && !work->sync;
}

static bool installed(char *text, size_t size) {
    return site_version("redis-server", "--version", text, size);
}

/* It listens before it has read its file: until then every command is refused. */
static bool await_loaded(redisContext *redis) {
    for (int i = 0; i < 20000; i++) {
        if (ask(redis, "PING"))
            return true;
        if (redis->err)
            return false;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return false;
}

static bool make_groups(redisContext *redis, unsigned groups) {
    for (unsigned i = 0; i < groups; i++) {
        char command[64];
        snprintf(command, sizeof command, "XGROUP CREATE bench g%u 0 MKSTREAM", i);
        if (!ask(redis, command))
            return false;
    }
    return true;
}

static bool start(site_t *site, const work_t *work, bool again) {
    site_write(site, "redis.conf",
               "bind 127.0.0.1\nport %d\nsave \"\"\nappendonly yes\nappendfsync %s\n"
               "auto-aof-rewrite-percentage 0\n",
               site_port(site, 0), work->sync ? "always" : "everysec");
    if (!site_run(site, (const char *[]){"redis-server", "redis.conf", NULL}) ||
        !site_await_port(site, 0))
        return false;
    redisContext *redis = dial(site);
    bool good = redis && await_loaded(redis) && (again || make_groups(redis, work->groups));
    if (redis)
        redisFree(redis);
    return good;
}

/* --- the publisher --- */

typedef struct {
    role_t *role;
    redisContext *redis;
    char *command; /* one XADD; its last bytes but two are the event */
    size_t size, event;
    uint64_t sent, stored;
} publisher_t;

static bool flush(publisher_t *self) {
    int done = 0;
    while (!done)
        if (redisBufferWrite(self->redis, &done) != REDIS_OK)
            return role_fails(self->role, "%s", self->redis->errstr);
    return true;
}

/* Takes the replies that came; where `wait`, reads until there is one. */
static bool take(publisher_t *self, bool wait) {
    uint64_t before = self->stored;
    do {
        redisReply *reply = NULL;
        if (redisBufferRead(self->redis) != REDIS_OK)
            return role_fails(self->role, "%s", self->redis->errstr);
        while (redisGetReplyFromReader(self->redis, (void **)&reply) == REDIS_OK && reply) {
            bool good = reply->type == REDIS_REPLY_STRING;
            if (!good)
                role_fails(self->role, "XADD: %s", reply->str ? reply->str : "no id");
            freeReplyObject(reply);
            if (!good)
                return false;
            self->stored++;
        }
    } while (wait && self->stored == before);
    role_confirmed(self->role, self->stored - before);
    return true;
}

static bool readable(redisContext *redis) {
    struct pollfd one = {.fd = redis->fd, .events = POLLIN};
    return poll(&one, 1, 0) > 0;
}

static bool publish_one(publisher_t *self) {
    while (!role_pace(self->role, self->sent, self->redis->fd))
        if (!take(self, false))
            return false;
    role_stamp(self->role, self->command + self->event, self->sent);
    if (redisAppendFormattedCommand(self->redis, self->command, self->size) != REDIS_OK)
        return role_fails(self->role, "%s", self->redis->errstr);
    self->sent++;
    bool flood = self->role->work->rate == 0;
    if (flood && self->sent % PIPED != 0)
        return true;
    if (!flush(self) || (readable(self->redis) && !take(self, false)))
        return false;
    while (self->sent - self->stored >= WINDOW)
        if (!take(self, true))
            return false;
    return true;
}

static bool publish_all(publisher_t *self) {
    uint64_t events = role_events(self->role);
    role_begin(self->role);
    while (self->sent < events)
        if (!publish_one(self))
            return false;
    if (!flush(self))
        return false;
    while (self->stored < events)
        if (!take(self, true))
            return false;
    return true;
}

static bool publish(role_t *role) {
    size_t size = role->work->size;
    publisher_t self = {.role = role, .redis = dial(role->site)};
    char *event = calloc(1, size);
    if (!self.redis || !event)
        return role_fails(role, "no connection");
    const char *words[] = {"XADD", "bench", "*", "d", event};
    size_t sizes[] = {4, 5, 1, 1, size};
    int formatted = redisFormatCommandArgv(&self.command, 5, words, sizes);
    bool good = formatted > 0;
    if (good) {
        self.size = (size_t)formatted;
        self.event = self.size - size - 2; /* before its CR LF */
        good = publish_all(&self);
    }
    redisFreeCommand(self.command);
    redisFree(self.redis);
    free(event);
    return good;
}

/* --- a worker --- */

typedef struct {
    role_t *role;
    redisContext *redis;
    char group[16], consumer[16];
    unsigned acks; /* XACKs without reply */
    const char *words[COUNT + 3];
    size_t sizes[COUNT + 3];
} worker_t;

/* XACK of all entries of the reply, behind what is written next. */
static bool ack(worker_t *self, const redisReply *entries) {
    self->words[0] = "XACK", self->sizes[0] = 4;
    self->words[1] = "bench", self->sizes[1] = 5;
    self->words[2] = self->group, self->sizes[2] = strlen(self->group);
    for (size_t i = 0; i < entries->elements; i++) {
        self->words[i + 3] = entries->element[i]->element[0]->str;
        self->sizes[i + 3] = entries->element[i]->element[0]->len;
    }
    self->acks++;
    return redisAppendCommandArgv(self->redis, (int)entries->elements + 3, self->words,
                                  self->sizes) == REDIS_OK;
}

/* [[stream, [[id, [field, value]], ...]]], or nil where nothing came in time. */
static bool handle(worker_t *self, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_NIL)
        return true;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1)
        return role_fails(self->role, "XREADGROUP: %s", reply->str ? reply->str : "no entries");
    const redisReply *entries = reply->element[0]->element[1];
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *value = entries->element[i]->element[1]->element[1];
        role_arrived(self->role, value->str, value->len);
    }
    return entries->elements == 0 || ack(self, entries);
}

/* The reply to each XACK that stands before the one to XREADGROUP. */
static bool take_acks(worker_t *self) {
    for (; self->acks > 0; self->acks--) {
        redisReply *reply = NULL;
        if (redisGetReply(self->redis, (void **)&reply) != REDIS_OK || !reply)
            return role_fails(self->role, "%s", self->redis->errstr);
        bool good = reply->type == REDIS_REPLY_INTEGER;
        freeReplyObject(reply);
        if (!good)
            return role_fails(self->role, "XACK failed");
    }
    return true;
}

static bool turn(worker_t *self) {
    redisReply *reply = NULL;
    if (redisAppendCommand(self->redis, "XREADGROUP GROUP %s %s COUNT %d BLOCK 50 STREAMS bench >",
                           self->group, self->consumer, COUNT) != REDIS_OK ||
        !take_acks(self) || redisGetReply(self->redis, (void **)&reply) != REDIS_OK || !reply)
        return role_fails(self->role, "%s", self->redis->errstr);
    bool good = handle(self, reply);
    freeReplyObject(reply);
    return good;
}

static bool consume(role_t *role) {
    worker_t *self = calloc(1, sizeof *self);
    if (!self || !(self->redis = dial(role->site)))
        return role_fails(role, "no connection");
    self->role = role;
    snprintf(self->group, sizeof self->group, "g%u", role->group);
    snprintf(self->consumer, sizeof self->consumer, "c%u", role->index);
    bool good = true;
    role_ready(role);
    while (good && !role_over(role))
        good = turn(self);
    good = good && take_acks(self);
    redisFree(self->redis);
    free(self);
    return good;
}

#define USE                                                                                        \
    "appendonly, no rewrite, no snapshots; XADD pipelined by 512 with up to 16,384 without "       \
    "reply, "                                                                                      \
    "XREADGROUP COUNT 1000, one XACK for all of a reply, sent with the next read"

const peer_t peer_redis_always = {
    .name = "redis-always",
    .title = "Redis streams, always",
    .settings = "appendfsync always, " USE,
    .flood = 600000,
    .can = can_always,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};

const peer_t peer_redis_everysec = {
    .name = "redis-everysec",
    .title = "Redis streams, everysec",
    .settings = "appendfsync everysec, " USE,
    .flood = 600000,
    .can = can_everysec,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
